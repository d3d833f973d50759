// Slots in a memfd, guarded by a mutex with two conditions: the bounded buffer of the textbooks, copied under the lock.
// The mutex is robust: who asks for it after its owner was killed is told so.
//
// glibc does not say when it calls the kernel. Counted as system calls: a lock that was taken, a wait, and a signal
// while somebody waits.
#include <pthread.h>
#include <string.h>

#include "ring.h"

struct condition {
	pthread_cond_t changed;
	uint32_t waiting; // under the mutex
};

struct monitor {
	pthread_mutex_t mutex;
	struct condition filled, emptied;
};

_Static_assert(sizeof(struct monitor) <= RING_OWN_BYTES, "a monitor fits into a ring");

static struct monitor *monitor_of(struct ring *ring)
{
	return (struct monitor *)ring->own;
}

static void check(int number, const char *call)
{
	if (number == EOWNERDEAD)
		fail(EXIT_INTERNAL, call, number, NULL, "%s: the other side was killed while it held the mutex", call);
	if (number)
		fail(EXIT_INTERNAL, call, number, NULL, "%s: %s", call, strerror(number));
}

static void make_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	check(pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), "pthread_condattr_setpshared");
	check(pthread_cond_init(condition, &attributes), "pthread_cond_init");
}

static void make_monitor(struct monitor *monitor)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	check(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), "pthread_mutexattr_setpshared");
	check(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), "pthread_mutexattr_setrobust");
	check(pthread_mutex_init(&monitor->mutex, &attributes), "pthread_mutex_init");
	make_condition(&monitor->filled.changed);
	make_condition(&monitor->emptied.changed);
}

static void open_ring(struct pair *pair)
{
	ring_open(pair);
	for (int i = 0; i < 2; i++)
		make_monitor(monitor_of(pair->rings[i]));
}

static void enter(struct channel *channel, struct monitor *monitor)
{
	int number = pthread_mutex_trylock(&monitor->mutex);

	if (number == EBUSY) {
		channel->counts->syscalls++;
		number = pthread_mutex_lock(&monitor->mutex);
	}
	check(number, "pthread_mutex_lock");
}

static void await(struct channel *channel, struct monitor *monitor, struct condition *condition)
{
	channel->counts->syscalls++;
	condition->waiting++;
	check(pthread_cond_wait(&condition->changed, &monitor->mutex), "pthread_cond_wait");
	condition->waiting--;
}

// Signalled after the mutex is free: who wakes then does not run into it.
static void leave(struct channel *channel, struct monitor *monitor, struct condition *condition)
{
	if (condition->waiting)
		channel->counts->syscalls++;
	check(pthread_mutex_unlock(&monitor->mutex), "pthread_mutex_unlock");
	check(pthread_cond_signal(&condition->changed), "pthread_cond_signal");
}

// Under the mutex, so the counters need no order of their own.
static void advance(struct ring_wait *wait)
{
	atomic_store_explicit(&wait->counter, ring_number(wait) + 1, memory_order_relaxed);
}

static uint32_t there(const struct ring *ring)
{
	return ring_number(&ring->filled) - ring_number(&ring->emptied);
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->out_ring;
	struct monitor *monitor = monitor_of(ring);

	enter(channel, monitor);
	channel->counts->blocked += there(ring) == ring->slots;
	while (there(ring) == ring->slots)
		await(channel, monitor, &monitor->emptied);
	memcpy(ring_slot(ring, ring_number(&ring->filled)), message, size);
	advance(&ring->filled);
	leave(channel, monitor, &monitor->filled);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->in_ring;
	struct monitor *monitor = monitor_of(ring);

	enter(channel, monitor);
	channel->counts->blocked += there(ring) == 0;
	while (there(ring) == 0)
		await(channel, monitor, &monitor->filled);
	memcpy(message, ring_slot(ring, ring_number(&ring->emptied)), size);
	advance(&ring->emptied);
	leave(channel, monitor, &monitor->emptied);
}

const struct mechanism memfd_mutex_cond_mechanism = {
	.name = "memfd-mutex-cond",
	.summary = "shared memory, a process-shared mutex and conditions",
	.manual = "pthread_mutexattr_setpshared(3)",
	.has_ring = true,
	.counts_blocked = true,
	.open = open_ring,
	.attach = ring_connect,
	.send = send_slot,
	.receive = receive_slot,
};
