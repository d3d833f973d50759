#include "ring.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

enum { STREAM_BYTES = 1 << 20, STREAM_SLOTS_MOST = 1024, STREAM_SLOTS_LEAST = 2 };

// A power of two, so that a slot's number survives the wrap of a 32-bit counter.
static uint32_t slots(const struct pair *pair, int direction)
{
	uint32_t n = STREAM_SLOTS_LEAST;

	if (!pair->stream || direction == 1)
		return 1;
	while (n < STREAM_SLOTS_MOST && 2 * n * pair->size <= STREAM_BYTES)
		n *= 2;
	return n;
}

static int wait_descriptor(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		refused("eventfd", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	return fd;
}

static struct ring *open_one(const struct pair *pair, int direction)
{
	uint32_t count = slots(pair, direction);
	size_t slot_bytes = (pair->size + 63) / 64 * 64, bytes = sizeof(struct ring) + count * slot_bytes;
	int fd = memfd_create("ipctune", MFD_CLOEXEC);
	struct ring *ring;

	if (fd < 0)
		refused("memfd_create", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	if (ftruncate(fd, (off_t)bytes))
		refused("ftruncate", NULL);
	ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		refused("mmap", NULL);
	close(fd); // the mapping keeps it, and both sides inherit that
	ring->slots = count;
	ring->slot_bytes = slot_bytes;
	ring->data = (char *)(ring + 1); // same address in both: inherited
	ring->filled.eventfd = wait_descriptor();
	ring->emptied.eventfd = wait_descriptor();
	return ring;
}

void ring_open(struct pair *pair)
{
	for (int i = 0; i < 2; i++)
		pair->rings[i] = open_one(pair, i);
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
