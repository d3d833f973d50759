// What supervisor and sides have in common: one anonymous shared mapping.
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "counters.h"
#include "error.h"
#include "histogram.h"
#include "mechanism.h"
#include "options.h"

// Both patterns run three times: to warm up, to settle after the supervisor's look at the machine, and measured.
enum phase { WARM_UP, SETTLE, MEASURE, PHASES };

enum { DRIVER = 0, ANSWERER = 1 };

enum { WARM_UP_MESSAGES = 1000, WARM_UP_NS = 30000000, SETTLE_MESSAGES = 32, SETTLE_NS = 300000 };

struct results {
	uint64_t messages;
	int64_t start_ns, stop_ns;
	struct counters begin[2], end[2];
};

struct shared {
	struct error_note note;
	pid_t supervisor, pids[2];
	struct results results;
	struct side_counts counts[2];
	// Written once a phase, so the answering side reads them from its own cache otherwise.
	_Alignas(128) _Atomic int stop; // ping-pong: what came last is no message any more
	_Atomic uint64_t last[PHASES]; // stream: number of the last message of each phase
	_Atomic int64_t start_ns; // stream: when the measured phase began
	_Alignas(128) _Atomic uint64_t drained; // stream: phases that the consumer has seen the end of
	_Atomic int64_t drained_ns; // stream: when it had the last message
	_Alignas(128) struct histogram histogram;
};

// One side's view.
struct side {
	const struct options *options;
	struct shared *shared;
	struct channel channel;
	int index;
	int ready, go; // eventfds between the driver and the supervisor
};

// The driver asks the supervisor to look at the machine, and sleeps meanwhile.
void side_meet_supervisor(struct side *side);
void side_read_counters(struct side *side, struct counters counters[2]);

void pingpong_client(struct side *side);
void pingpong_server(struct side *side);
void stream_producer(struct side *side);
void stream_consumer(struct side *side);
