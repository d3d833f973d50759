// When the next message starts: at once, after some work, after an idle gap, or when it is due.
#pragma once

#include "arrivals.h"
#include "clock.h"
#include "shared.h"

struct pace {
	enum { AT_ONCE, AFTER_WORK, AFTER_GAP, WHEN_DUE } kind;
	int64_t gap_ns, work_ns;
	struct arrivals arrivals;
};

// What an application does with a message, or before it has one: it computes, so its vCPU does not halt meanwhile. Not
// inline, to leave the loops that are measured without it as they were.
static __attribute__((noinline, cold, unused)) void compute(int64_t ns)
{
	for (int64_t until = now_ns() + ns; now_ns() < until;)
		;
}

static inline struct pace pace_begin(const struct options *options, uint64_t stream, int64_t start_ns, int64_t until_ns)
{
	struct pace pace = {.kind = AT_ONCE, .gap_ns = options->gap_ns, .work_ns = options->work_ns[DRIVER]};

	if (options->rate > 0) {
		pace.kind = WHEN_DUE;
		arrivals_begin(&pace.arrivals, options->rate, options->seed + stream, start_ns, until_ns);
	} else if (options->gap_ns) {
		pace.kind = AFTER_GAP;
	} else if (pace.work_ns) {
		pace.kind = AFTER_WORK;
	}
	return pace;
}

// The moment from which the latency counts: the driver's work lies before it. A message that is late already is not
// waited for.
static inline int64_t pace_wait(struct pace *pace)
{
	int64_t start = now_ns();

	if (pace->kind == AT_ONCE)
		return start;
	if (pace->kind != WHEN_DUE) {
		if (pace->kind == AFTER_GAP)
			sleep_until(start + pace->gap_ns);
		if (pace->work_ns)
			compute(pace->work_ns);
		return now_ns();
	}
	int64_t due = arrivals_peek(&pace->arrivals);

	if (due - pace->work_ns > start)
		sleep_until(due - pace->work_ns);
	if (pace->work_ns)
		compute(pace->work_ns);
	arrivals_advance(&pace->arrivals);
	return due;
}

// Messages of a phase that is there to warm up, fewer where the answerer's work would make it long.
static inline uint64_t pace_few(const struct options *options, uint64_t most, int64_t ns)
{
	int64_t work_ns = options->work_ns[ANSWERER];

	return work_ns && (uint64_t)(ns / work_ns) < most ? (uint64_t)(ns / work_ns) + 1 : most;
}

// Is there a message left that is due before the end? As fast as it goes there always is: the clock decides.
static inline int pace_more(const struct pace *pace)
{
	return pace->kind != WHEN_DUE || arrivals_peek(&pace->arrivals) < pace->arrivals.until_ns;
}
