// When the next message starts: at once, after an idle gap, or when it is due.
#pragma once

#include "arrivals.h"
#include "clock.h"
#include "shared.h"

struct pace {
	enum { AT_ONCE, AFTER_GAP, WHEN_DUE } kind;
	int64_t gap_ns;
	struct arrivals arrivals;
};

static inline struct pace pace_begin(const struct options *options, uint64_t stream, int64_t start_ns, int64_t until_ns)
{
	struct pace pace = {.kind = AT_ONCE, .gap_ns = options->gap_ns};

	if (options->rate > 0) {
		pace.kind = WHEN_DUE;
		arrivals_begin(&pace.arrivals, options->rate, options->seed + stream, start_ns, until_ns);
	} else if (options->gap_ns) {
		pace.kind = AFTER_GAP;
	}
	return pace;
}

// The moment from which the latency counts. A message that is late already is not waited for.
static inline int64_t pace_wait(struct pace *pace)
{
	int64_t start = now_ns();

	if (pace->kind == AT_ONCE)
		return start;
	if (pace->kind == AFTER_GAP) {
		sleep_until(start + pace->gap_ns);
		return now_ns();
	}
	int64_t due = arrivals_peek(&pace->arrivals);

	if (due > start)
		sleep_until(due);
	arrivals_advance(&pace->arrivals);
	return due;
}

// Is there a message left that is due before the end? As fast as it goes there always is: the clock decides.
static inline int pace_more(const struct pace *pace)
{
	return pace->kind != WHEN_DUE || arrivals_peek(&pace->arrivals) < pace->arrivals.until_ns;
}
