// The limits that take two processes: a cache line there and back, a context switch, the wake of an idle vCPU.
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "clock.h"
#include "limits_parts.h"
#include "median.h"

enum {
	REPEATS = 40, // after a first one that warms up and waits for the other to be there
	WAKES = 15,
	LINE_ROUNDS = 1000,
	SWITCH_ROUNDS = 400,
	BUDGET_NS = 300000000, // beside others who keep both vCPUs busy: with fewer repeats then
	LOOK_AGAIN_NS = 100000,
};

#define LINE_STOP UINT32_MAX

static double line_once(struct limits *l, uint32_t *next)
{
	int64_t start = now_ns();

	for (int i = 0; i < LINE_ROUNDS; i++, *next += 2) {
		atomic_store_explicit(&l->ball, *next, memory_order_release);
		while (atomic_load_explicit(&l->ball, memory_order_acquire) != *next + 1)
			;
	}
	return (double)(now_ns() - start) / LINE_ROUNDS;
}

void limits_line_driver(void *shared)
{
	struct limits *l = shared;
	double best = INFINITY;
	uint32_t next = 1;
	int64_t end_ns;

	line_once(l, &next);
	end_ns = now_ns() + BUDGET_NS;
	for (int n = 0; n < REPEATS && now_ns() < end_ns; n++)
		best = fmin(best, line_once(l, &next));
	l->cache_line_ns = best;
	atomic_store(&l->ball, LINE_STOP);
}

// No pause in the loop: it would be in the figure, and a hypervisor may take a vCPU off its processor that pauses for
// long (pause-loop exiting).
void limits_line_answerer(void *shared)
{
	struct limits *l = shared;

	for (uint32_t wanted = 1;; wanted += 2) {
		uint32_t seen;

		while ((seen = atomic_load_explicit(&l->ball, memory_order_acquire)) != wanted)
			if (seen == LINE_STOP)
				return;
		atomic_store_explicit(&l->ball, wanted + 1, memory_order_release);
	}
}

static void tell(int event)
{
	uint64_t one = 1;

	if (write(event, &one, sizeof one) != sizeof one)
		fail(EXIT_INTERNAL, "write", errno, NULL, "an eventfd could not be written");
}

static void await(int event)
{
	uint64_t count;

	if (read(event, &count, sizeof count) != sizeof count)
		fail(EXIT_INTERNAL, "read", errno, NULL, "an eventfd could not be read");
}

static double hand_over_once(struct limits *l)
{
	int64_t start = now_ns();

	for (int i = 0; i < SWITCH_ROUNDS; i++) {
		tell(l->events[1]);
		await(l->events[0]);
	}
	return (double)(now_ns() - start) / SWITCH_ROUNDS / 2;
}

// The same two calls where nobody sleeps and nobody is woken.
static double calls_once(struct limits *l)
{
	int64_t start = now_ns();

	for (int i = 0; i < SWITCH_ROUNDS; i++) {
		tell(l->events[0]);
		await(l->events[0]);
	}
	return (double)(now_ns() - start) / SWITCH_ROUNDS;
}

// Handing the vCPU over and back through eventfds, which no other blocking call beats, less what the calls cost
// where they do not block. What is left of a hop: making the other runnable on this same vCPU (so no interrupt),
// choosing it, and the switch to its address space.
void limits_switch_driver(void *shared)
{
	struct limits *l = shared;
	double hop = INFINITY, calls = INFINITY;
	int64_t end_ns;

	hand_over_once(l);
	end_ns = now_ns() + BUDGET_NS;
	for (int n = 0; n < REPEATS && now_ns() < end_ns; n++) {
		hop = fmin(hop, hand_over_once(l));
		calls = fmin(calls, calls_once(l));
	}
	l->context_switch_ns = hop - calls;
	atomic_store(&l->stop, 1);
	tell(l->events[1]);
}

void limits_switch_answerer(void *shared)
{
	struct limits *l = shared;

	for (;;) {
		await(l->events[1]);
		if (atomic_load(&l->stop))
			return;
		tell(l->events[0]);
	}
}

// From the waker's clock, just before its call, to the sleeper's, just after. The waker looks for the answer between
// short sleeps on its own vCPU, so that nothing but the wake disturbs the other.
static double wake_once(struct limits *l, int64_t idle_ns)
{
	sleep_until(now_ns() + idle_ns);
	atomic_store(&l->took_ns, -1);
	atomic_store(&l->sent_ns, now_ns());
	tell(l->events[1]);
	while (atomic_load(&l->took_ns) < 0)
		sleep_until(now_ns() + LOOK_AGAIN_NS);
	return (double)atomic_load(&l->took_ns);
}

static double wake_after(struct limits *l, int64_t idle_ns)
{
	double took[WAKES];

	wake_once(l, idle_ns); // the sleeper may not have been there yet
	for (int n = 0; n < WAKES; n++)
		took[n] = wake_once(l, idle_ns);
	return median(took, WAKES);
}

void limits_waker(void *shared)
{
	struct limits *l = shared;

	for (int i = 0; i < LIMITS_WAKES; i++)
		l->wakes[i].ns = wake_after(l, l->wakes[i].idle_ns);
	atomic_store(&l->stop, 1);
	tell(l->events[1]);
}

void limits_sleeper(void *shared)
{
	struct limits *l = shared;

	for (;;) {
		int64_t took_ns;

		await(l->events[1]);
		took_ns = now_ns() - atomic_load(&l->sent_ns);
		if (atomic_load(&l->stop))
			return;
		atomic_store(&l->took_ns, took_ns > 0 ? took_ns : 0); // clocks of vCPUs that are not quite in step
	}
}
