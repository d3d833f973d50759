// Slots in a System V segment; a side that has to wait sleeps on a futex.
#include "futex.h"

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	ring_send(channel, message, size, futex_sleep, futex_wake);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	ring_receive(channel, message, size, futex_sleep, futex_wake);
}

const struct mechanism sysv_shm_futex_mechanism = {
	.name = "sysv-shm-futex",
	.summary = "a System V segment, waiting on a futex",
	.manual = "shmop(2)",
	.has_ring = true,
	.counts_blocked = true,
	.open = ring_open_segments,
	.attach = ring_connect,
	.remove = memory_remove,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
