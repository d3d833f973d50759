// Slots in a System V segment; two process-shared semaphores in it count what is filled and what is free.
//
// glibc does not say when it calls the kernel. Counted as system calls: a wait, and a post while somebody waits.
#include <semaphore.h>

#include "ring.h"

struct gate {
	_Alignas(128) sem_t count;
	_Atomic int waiting;
};

struct gates {
	struct gate filled, emptied;
};

_Static_assert(sizeof(struct gates) <= RING_OWN_BYTES, "two semaphores fit into a ring");

static struct gates *gates_of(struct ring *ring)
{
	return (struct gates *)ring->own;
}

static void open_ring(struct pair *pair)
{
	ring_open_segments(pair);
	for (int i = 0; i < 2; i++) {
		struct gates *gates = gates_of(pair->rings[i]);

		if (sem_init(&gates->filled.count, 1, 0) || sem_init(&gates->emptied.count, 1, pair->rings[i]->slots))
			refused("sem_init", NULL);
	}
}

static void pass(struct channel *channel, struct gate *gate)
{
	if (!sem_trywait(&gate->count))
		return;
	channel->counts->blocked++;
	channel->counts->syscalls++;
	atomic_store_explicit(&gate->waiting, 1, memory_order_relaxed);
	while (sem_wait(&gate->count))
		if (errno != EINTR)
			channel_broken("sem_wait", -1);
	atomic_store_explicit(&gate->waiting, 0, memory_order_relaxed);
}

static void open_gate(struct channel *channel, struct gate *gate)
{
	if (atomic_load_explicit(&gate->waiting, memory_order_relaxed))
		channel->counts->syscalls++;
	if (sem_post(&gate->count))
		channel_broken("sem_post", -1);
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->out_ring;

	pass(channel, &gates_of(ring)->emptied);
	__builtin_memcpy(ring_slot(ring, ring_take_number(&ring->filled)), message, size);
	open_gate(channel, &gates_of(ring)->filled);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->in_ring;

	pass(channel, &gates_of(ring)->filled);
	__builtin_memcpy(message, ring_slot(ring, ring_take_number(&ring->emptied)), size);
	open_gate(channel, &gates_of(ring)->emptied);
}

const struct mechanism sysv_shm_posix_sem_mechanism = {
	.name = "sysv-shm-posix-sem",
	.summary = "a System V segment, process-shared POSIX semaphores",
	.manual = "sem_overview(7)",
	.has_ring = true,
	.counts_blocked = true,
	.open = open_ring,
	.attach = ring_connect,
	.remove = memory_remove,
	.send = send_slot,
	.receive = receive_slot,
};
