// What supervisor and sides have in common: one anonymous shared mapping.
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "counters.h"
#include "error.h"
#include "histogram.h"
#include "mechanism.h"
#include "options.h"

// Every pattern runs three times: to warm up, to settle after the supervisor's look at the machine, and measured.
enum phase { WARM_UP, SETTLE, MEASURE, PHASES };

enum { DRIVER = 0, ANSWERER = 1 };

enum { WARM_UP_MESSAGES = 1000, WARM_UP_NS = 30000000, SETTLE_MESSAGES = 32, SETTLE_NS = 300000 };

// What became of the messages of bursts.
struct tally {
	uint64_t bursts, offered, accepted, partial, received, refused;
	uint64_t fits; // the most of one burst that went without waiting
	int number; // errno of the first refusal, -1: there was one without; 0: there was none
};

// One of many on a side of a fan.
struct peer {
	struct side_counts counts;
	struct counters begin, end;
	uint64_t messages, sum; // of the present phase, and their numbers added up
	int64_t stop_ns; // of a consumer: when it had its last one
};

struct results {
	struct tally burst;
	uint64_t least, most; // messages of one peer
	uint64_t messages;
	int64_t start_ns, stop_ns;
	struct counters begin[2], end[2];
};

struct shared {
	struct error_note note;
	pid_t supervisor, pids[1 + PEERS_MAX]; // the driver, the answerer, the other peers of a fan
	struct results results;
	struct side_counts counts[2];
	// Written once a phase, so the answering side reads them from its own cache otherwise.
	_Alignas(128) _Atomic int stop; // ping-pong: what came last is no message any more
	_Atomic uint64_t last[PHASES]; // stream: number of the last message of each phase; fan-out: how many there were
	_Atomic int64_t start_ns; // stream: when the measured phase began
	_Alignas(128) _Atomic uint64_t drained; // stream: phases that the consumer has seen the end of
	_Atomic int64_t drained_ns; // stream: when it had the last message
	_Alignas(128) _Atomic uint32_t over; // burst: how many the producer has made
	_Atomic uint32_t emptied; // burst: how many the consumer has drained
	uint64_t accepted, received; // burst: messages since the start
	_Alignas(128) _Atomic uint32_t opened; // fan: phases that may begin
	_Atomic uint32_t arrived; // fan: phases that peers have been through, of all peers together
	_Atomic int merging; // fan: a peer adds its latencies
	struct peer peers[PEERS_MAX];
	_Alignas(128) struct histogram histogram;
};

// One side's view.
struct side {
	const struct options *options;
	struct shared *shared;
	struct channel channel;
	struct channel *channels; // of the hub of a fan, one for each peer or one for all
	int index;
	int peer; // of a fan: which one, -1: its hub
	const struct pair *pair;
	int ready, go; // eventfds between the driver and the supervisor
};

// The driver asks the supervisor to look at the machine, and sleeps meanwhile.
void side_meet_supervisor(struct side *side);
void side_read_counters(struct side *side, struct counters counters[2]);

void pingpong_client(struct side *side);
void pingpong_server(struct side *side);
void stream_producer(struct side *side);
void stream_consumer(struct side *side);
void burst_producer(struct side *side);
void burst_consumer(struct side *side);
void fan_prepare(const struct options *options); // in the supervisor
void fan_hub(struct side *side);
void fan_peer(struct side *side);
void connect_client(struct side *side);
void connect_server(struct side *side);
