// Slots in shared memory between one sender and one receiver. How a side waits and is woken is the mechanism's.
#pragma once

#include <stdatomic.h>

#include "../channel.h"
#include "memory.h"

enum { RING_OWN_BYTES = 512 };

// Where one side sleeps until a counter of the other moves on.
struct ring_wait {
	_Alignas(128) _Atomic uint32_t counter; // messages put in, or taken out; wraps
	_Atomic uint32_t sleeping; // who waits sets it and sleeps only while it is set; who wakes clears it
	int eventfd;
	_Atomic pid_t sleeper; // who waits here; known from the first time that `sleeping` is set
};

struct ring {
	struct ring_wait filled; // moved by the sender, waited for by the receiver
	struct ring_wait emptied; // the other way round
	_Alignas(128) uint32_t slots;
	size_t slot_bytes;
	char *data;
	int64_t spin_ns; // before a side falls asleep
	uint32_t spins; // before a side that never sleeps lets others have the vCPU
	struct memory memory;
	_Alignas(128) char own[RING_OWN_BYTES]; // for what a mechanism shares besides
};

typedef void ring_sleep(struct channel *channel, struct ring_wait *wait);
typedef void ring_wake(struct channel *channel, struct ring_wait *wait);

void ring_open(struct pair *pair); // in memfds
void ring_open_segments(struct pair *pair); // in System V segments, which memory_remove() takes away
// One ring alone, of any shape; the pair does not say that it has rings of messages.
struct ring *ring_make(struct pair *pair, enum memory_kind kind, int number, uint32_t slots, size_t slot_bytes);
extern const struct nonblocking ring_nonblocking;
void ring_connect(struct channel *channel); // every mechanism with rings needs it

static inline char *ring_slot(const struct ring *ring, uint32_t number)
{
	return ring->data + (number % ring->slots) * ring->slot_bytes;
}

// How many messages this side has put in, or taken out: nobody else moves that counter.
static inline uint32_t ring_number(const struct ring_wait *own)
{
	return atomic_load_explicit(&own->counter, memory_order_relaxed);
}

// Where semaphores order what is copied, the counter only says which slot is next.
static inline uint32_t ring_take_number(struct ring_wait *own)
{
	uint32_t number = ring_number(own);

	atomic_store_explicit(&own->counter, number + 1, memory_order_relaxed);
	return number;
}

static inline bool ring_moved(const struct ring_wait *wait, uint32_t unwanted)
{
	return atomic_load_explicit(&wait->counter, memory_order_acquire) != unwanted;
}

static inline void ring_await(struct channel *channel, struct ring_wait *wait, uint32_t unwanted, ring_sleep *sleep)
{
	if (ring_moved(wait, unwanted))
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
	atomic_store(&wait->counter, ring_number(wait) + 1);
	if (atomic_load(&wait->sleeping) && atomic_exchange(&wait->sleeping, 0))
		wake(channel, wait);
}

static inline void ring_send(struct channel *channel, const char *message, size_t size, ring_sleep *sleep, ring_wake *wake)
{
	struct ring *ring = channel->out_ring;
	uint32_t number = ring_number(&ring->filled);

	ring_await(channel, &ring->emptied, number - ring->slots, sleep); // all slots full
	__builtin_memcpy(ring_slot(ring, number), message, size);
	ring_advance(channel, &ring->filled, wake);
}

static inline void ring_receive(struct channel *channel, char *message, size_t size, ring_sleep *sleep, ring_wake *wake)
{
	struct ring *ring = channel->in_ring;
	uint32_t number = ring_number(&ring->emptied);

	ring_await(channel, &ring->filled, number, sleep); // nothing there
	__builtin_memcpy(message, ring_slot(ring, number), size);
	ring_advance(channel, &ring->emptied, wake);
}
