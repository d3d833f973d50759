// Slots in a memfd; a side that has to wait sleeps on a futex.
#include "futex.h"

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	ring_send(channel, message, size, futex_sleep, futex_wake);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	ring_receive(channel, message, size, futex_sleep, futex_wake);
}

const struct mechanism memfd_futex_mechanism = {
	.name = "memfd-futex",
	.summary = "shared memory, waiting on a futex",
	.manual = "futex(7)",
	.has_ring = true,
	.counts_blocked = true,
	.open = ring_open,
	.attach = ring_connect,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
