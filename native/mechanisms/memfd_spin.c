// Slots in a memfd; a side that has to wait spins and never sleeps.
//
// Two spinners on one vCPU would each spend whole slices waiting for the other, so a side that has spun for a while
// yields: at once where both surely share a vCPU, otherwise after about one slice, which is when the other has
// probably lost its vCPU to us or to a third.
#include <sched.h>

#include "ring.h"
#include "spin.h"

enum { SPINS_SHARED = 16, SPINS_APART = 1 << 16 };

static bool share_one_vcpu(const struct options *options)
{
	cpu_set_t allowed;

	if (options->cpus[0] >= 0 && options->cpus[0] == options->cpus[1])
		return true;
	return !sched_getaffinity(0, sizeof allowed, &allowed) && CPU_COUNT(&allowed) == 1;
}

static void open_ring(struct pair *pair)
{
	bool shared = share_one_vcpu(pair->options);

	if (shared && pair->options->policy == POLICY_FIFO)
		usage("--policy fifo: two real-time sides that spin on one vCPU would let nobody else run there");
	ring_open(pair);
	for (int i = 0; i < 2; i++)
		pair->rings[i]->spins = shared ? SPINS_SHARED : SPINS_APART;
}

static void yield(struct channel *channel)
{
	channel->counts->syscalls++;
	sched_yield();
}

static inline void spin(struct channel *channel, const struct ring *ring, const struct ring_wait *wait, uint32_t unwanted)
{
	uint32_t left = ring->spins;

	if (ring_moved(wait, unwanted))
		return;
	channel->counts->blocked++;
	while (!ring_moved(wait, unwanted)) {
		cpu_pause();
		if (!--left) {
			yield(channel);
			left = ring->spins;
		}
	}
}

// Nobody sleeps, so nobody has to be woken: releasing the slot is all.
static inline void advance(struct ring_wait *wait, uint32_t number)
{
	atomic_store_explicit(&wait->counter, number, memory_order_release);
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->out_ring;
	uint32_t number = ring_number(&ring->filled);

	spin(channel, ring, &ring->emptied, number - ring->slots);
	__builtin_memcpy(ring_slot(ring, number), message, size);
	advance(&ring->filled, number + 1);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->in_ring;
	uint32_t number = ring_number(&ring->emptied);

	spin(channel, ring, &ring->filled, number);
	__builtin_memcpy(message, ring_slot(ring, number), size);
	advance(&ring->emptied, number + 1);
}

const struct mechanism memfd_spin_mechanism = {
	.name = "memfd-spin",
	.summary = "shared memory, spinning while it waits",
	.manual = "memfd_create(2)",
	.has_ring = true,
	.counts_blocked = true,
	.open = open_ring,
	.attach = ring_connect,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
