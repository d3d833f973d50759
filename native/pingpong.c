// Strict request and reply: the client's clock runs from before its send to after its receive.
#include "lend.h"
#include "pace.h"
#include "payload.h"

struct exchange {
	struct side *side;
	char *sent, *got;
	uint64_t number;
};

static _Noreturn void changed(uint64_t number)
{
	fail(EXIT_INTERNAL, "check", 0, NULL, "round trip %llu came back changed", (unsigned long long)number);
}

// Round trips until `until_ns` or `most` of them. Nothing lies between the two clocks but the mechanism.
static uint64_t round_trips(struct exchange *x, struct pace *pace, int64_t until_ns, uint64_t most, struct histogram *histogram)
{
	struct channel *channel = &x->side->channel;
	const struct mechanism *mechanism = mechanism_find(x->side->options);
	struct lent *lent = channel->lent;
	size_t size = x->side->options->size;
	uint64_t done = 0;
	int64_t start, stop;

	do {
		x->sent = lend(lent, x->sent);
		payload_number(x->sent, size, x->number);
		start = pace_wait(pace);
		mechanism->send(channel, x->sent, size);
		mechanism->receive(channel, x->got, size);
		stop = now_ns();
		if (memcmp(x->sent, x->got, size))
			changed(x->number);
		if (histogram)
			histogram_record(histogram, (uint64_t)(stop - start));
		x->number++;
		done++;
	} while (stop < until_ns && done < most && pace_more(pace));
	return done;
}

static void phase(struct exchange *x, enum phase which, int64_t ns, uint64_t most, struct histogram *histogram)
{
	int64_t start = now_ns();
	struct pace pace = pace_begin(x->side->options, which, start, start + ns);
	uint64_t done = round_trips(x, &pace, start + ns, most, histogram);

	if (!histogram)
		return;
	x->side->shared->results.messages = done;
	x->side->shared->results.start_ns = start;
	x->side->shared->results.stop_ns = now_ns();
}

void pingpong_client(struct side *side)
{
	const struct options *o = side->options;
	struct results *results = &side->shared->results;
	struct exchange x = {side, payload_filled(o->size, o->seed), payload_buffer(o->size), 0};

	lent_fill(side->channel.lent, x.sent, o->size);
	phase(&x, WARM_UP, WARM_UP_NS, WARM_UP_MESSAGES, NULL);
	side_meet_supervisor(side);
	if (!o->rate && !o->gap_ns) // where each message wakes the other side anyway there is nothing to settle
		phase(&x, SETTLE, SETTLE_NS, SETTLE_MESSAGES, NULL);
	side_read_counters(side, results->begin);
	phase(&x, MEASURE, (int64_t)(o->seconds * 1e9), UINT64_MAX, &side->shared->histogram);
	side_read_counters(side, results->end);
	side_meet_supervisor(side);
	atomic_store(&side->shared->stop, 1);
	mechanism_find(o)->send(&side->channel, x.sent, o->size);
}

void pingpong_server(struct side *side)
{
	const struct mechanism *mechanism = mechanism_find(side->options);
	struct channel *channel = &side->channel;
	size_t size = side->options->size;
	char *message = payload_buffer(size);

	lent_fill(channel->lent, message, size); // touches it
	for (;;) {
		message = lend(channel->lent, message);
		mechanism->receive(channel, message, size);
		if (atomic_load_explicit(&side->shared->stop, memory_order_relaxed))
			return;
		if (side->options->work_ns[ANSWERER])
			compute(side->options->work_ns[ANSWERER]);
		mechanism->send(channel, message, size);
	}
}
