// Slots in a memfd; a side that has to wait spins for a bounded time and then sleeps on a futex. `blocked` counts
// the waits that came to sleeping.
#include "../clock.h"
#include "futex.h"
#include "spin.h"

enum { LOOKS_A_CLOCK = 16 }; // reading the clock takes as long as a few looks

static inline bool look(const struct ring_wait *wait, uint32_t unwanted)
{
	for (int i = 0; i < LOOKS_A_CLOCK; i++) {
		if (ring_moved(wait, unwanted))
			return true;
		cpu_pause();
	}
	return false;
}

static inline void spin(const struct ring *ring, const struct ring_wait *wait, uint32_t unwanted)
{
	int64_t until;

	if (ring_moved(wait, unwanted))
		return;
	until = now_ns() + ring->spin_ns;
	while (!look(wait, unwanted) && now_ns() < until)
		;
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->out_ring;

	spin(ring, &ring->emptied, ring_number(&ring->filled) - ring->slots);
	ring_send(channel, message, size, futex_sleep, futex_wake);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->in_ring;

	spin(ring, &ring->filled, ring_number(&ring->emptied));
	ring_receive(channel, message, size, futex_sleep, futex_wake);
}

const struct mechanism memfd_spin_futex_mechanism = {
	.name = "memfd-spin-futex",
	.summary = "shared memory, spinning a while, then waiting on a futex",
	.manual = "futex(7)",
	.has_ring = true,
	.has_spin = true,
	.counts_blocked = true,
	.open = ring_open,
	.attach = ring_connect,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
