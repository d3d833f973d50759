// What streams of single messages and of batches share.
#pragma once

#include "pace.h"

struct flow {
	struct side *side;
	const struct mechanism *mechanism;
	char *expected, *got; // in batches each has room for all of one, and each place in `expected` the same bytes
	uint64_t number;
};

// Is message `sent` of this phase its last one? Then that is announced, before it is sent: the consumer knows it when it comes.
bool stream_last(struct flow *f, enum phase which, const struct pace *pace, uint64_t sent, int64_t until_ns, uint64_t most);

// Message f->number has come, at `when_ns`, which is of interest where there is a histogram: checks it, records it, counts on.
void stream_came(struct flow *f, const char *message, enum phase which, struct histogram *histogram, struct pace *pace, int64_t when_ns);

uint64_t batch_produce(struct flow *f, enum phase which, struct pace *pace, int64_t until_ns, uint64_t most);
int64_t batch_consume(struct flow *f, enum phase which, struct histogram *histogram, struct pace *pace); // when the last came
