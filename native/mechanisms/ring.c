#include "ring.h"

#include <string.h>
#include <unistd.h>

enum { STREAM_BYTES = 1 << 20, STREAM_SLOTS_MOST = 1024, STREAM_SLOTS_LEAST = 2 };

// A power of two, so that a slot's number survives the wrap of a 32-bit counter.
static uint32_t slots(const struct pair *pair, int direction)
{
	uint32_t n = STREAM_SLOTS_LEAST;

	if (!pair->stream || direction == 1)
		return 1;
	if (pair->options->slots)
		return (uint32_t)pair->options->slots;
	while (n < STREAM_SLOTS_MOST && 2 * n * pair->size <= STREAM_BYTES)
		n *= 2;
	return n;
}

struct ring *ring_make(struct pair *pair, enum memory_kind kind, int number, uint32_t count, size_t slot_bytes)
{
	size_t whole = (slot_bytes + 63) / 64 * 64;
	struct memory memory = memory_open(pair, kind, number, sizeof(struct ring) + count * whole);
	struct ring *ring = memory.start;

	ring->memory = memory;
	ring->slots = count;
	ring->slot_bytes = whole;
	ring->data = (char *)(ring + 1); // same address in both: inherited
	ring->spin_ns = option_spin_ns(pair->options);
	return ring;
}

// The pool may have had enough for one of two.
static const char *pages_of_both(struct ring *const rings[2])
{
	return strcmp(rings[0]->memory.pages, rings[1]->memory.pages) ? "huge-mixed" : rings[0]->memory.pages;
}

static void open_rings(struct pair *pair, enum memory_kind kind)
{
	for (int i = 0; i < 2; i++)
		pair->rings[i] = ring_make(pair, kind, i, slots(pair, i), pair->size);
	pair->slots = pair->rings[0]->slots;
	pair->pages = pages_of_both(pair->rings);
}

void ring_open(struct pair *pair)
{
	open_rings(pair, MEMORY_MEMFD);
}

void ring_open_segments(struct pair *pair)
{
	open_rings(pair, MEMORY_SEGMENT);
}

void ring_connect(struct channel *channel)
{
	memory_ready(&channel->in_ring->memory);
	memory_ready(&channel->out_ring->memory);
	atomic_store(&channel->in_ring->filled.sleeper, getpid());
	atomic_store(&channel->out_ring->emptied.sleeper, getpid());
}

// Nobody sleeps on a ring during a burst, so nobody is woken.
static int put(struct channel *channel, char *message, size_t size, size_t *done)
{
	struct ring *ring = channel->out_ring;
	uint32_t number = atomic_load_explicit(&ring->filled.counter, memory_order_relaxed);

	if (number - atomic_load_explicit(&ring->emptied.counter, memory_order_acquire) == ring->slots)
		return -1;
	memcpy(ring->data + (number % ring->slots) * ring->slot_bytes, message, size);
	atomic_store_explicit(&ring->filled.counter, number + 1, memory_order_release);
	*done = size;
	return 0;
}

static int take(struct channel *channel, char *message, size_t size, size_t *done)
{
	struct ring *ring = channel->in_ring;
	uint32_t number = atomic_load_explicit(&ring->emptied.counter, memory_order_relaxed);

	if (atomic_load_explicit(&ring->filled.counter, memory_order_acquire) == number)
		return -1;
	memcpy(message, ring->data + (number % ring->slots) * ring->slot_bytes, size);
	atomic_store_explicit(&ring->emptied.counter, number + 1, memory_order_release);
	*done = size;
	return 0;
}

const struct nonblocking ring_nonblocking = {.send = put, .receive = take};
