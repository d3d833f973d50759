// Slots in shared memory (memfd) between one sender and one receiver. How a side sleeps and is woken is the mechanism's.
#pragma once

#include <stdatomic.h>

#include "../channel.h"

// Where one side sleeps until a counter of the other moves on.
struct ring_wait {
	_Alignas(128) _Atomic uint32_t counter; // messages put in, or taken out; wraps
	_Atomic uint32_t sleeping; // who waits sets it and sleeps only while it is set; who wakes clears it
	int eventfd;
};

struct ring {
	struct ring_wait filled; // moved by the sender, waited for by the receiver
	struct ring_wait emptied; // the other way round
	_Alignas(128) uint32_t slots;
	size_t slot_bytes;
	char *data;
};

typedef void ring_sleep(struct channel *channel, struct ring_wait *wait);
typedef void ring_wake(struct channel *channel, struct ring_wait *wait);

void ring_open(struct pair *pair);
extern const struct nonblocking ring_nonblocking;

static inline void ring_await(struct channel *channel, struct ring_wait *wait, uint32_t unwanted, ring_sleep *sleep)
{
	if (atomic_load_explicit(&wait->counter, memory_order_acquire) != unwanted)
		return;
	channel->counts->blocked++;
	do {
		// Sequentially consistent on both sides: either the waker sees `sleeping`, or we see its count.
		atomic_store(&wait->sleeping, 1);
		if (atomic_load(&wait->counter) != unwanted)
			break;
		sleep(channel, wait);
	} while (atomic_load(&wait->counter) == unwanted);
	atomic_store_explicit(&wait->sleeping, 0, memory_order_relaxed);
}

static inline void ring_advance(struct channel *channel, struct ring_wait *wait, ring_wake *wake)
{
	atomic_store(&wait->counter, atomic_load_explicit(&wait->counter, memory_order_relaxed) + 1);
	if (atomic_load(&wait->sleeping) && atomic_exchange(&wait->sleeping, 0))
		wake(channel, wait);
}

static inline void ring_send(struct channel *channel, const char *message, size_t size, ring_sleep *sleep, ring_wake *wake)
{
	struct ring *ring = channel->out_ring;
	uint32_t number = atomic_load_explicit(&ring->filled.counter, memory_order_relaxed);

	ring_await(channel, &ring->emptied, number - ring->slots, sleep); // all slots full
	__builtin_memcpy(ring->data + (number % ring->slots) * ring->slot_bytes, message, size);
	ring_advance(channel, &ring->filled, wake);
}

static inline void ring_receive(struct channel *channel, char *message, size_t size, ring_sleep *sleep, ring_wake *wake)
{
	struct ring *ring = channel->in_ring;
	uint32_t number = atomic_load_explicit(&ring->emptied.counter, memory_order_relaxed);

	ring_await(channel, &ring->filled, number, sleep); // nothing there
	__builtin_memcpy(message, ring->data + (number % ring->slots) * ring->slot_bytes, size);
	ring_advance(channel, &ring->emptied, wake);
}
