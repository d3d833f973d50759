// Strict request and reply: the client's clock runs from before its send to after its receive. What lies between is kept
// in registers and on the stack: every other page costs after a switch from the other side.
#include "lend.h"
#include "pace.h"
#include "payload.h"

struct exchange {
	struct side *side;
	char *sent, *got;
	uint64_t number;
	struct payload_room room[2];
};

static _Noreturn void changed(uint64_t number)
{
	fail(EXIT_INTERNAL, "check", 0, NULL, "round trip %llu came back changed", (unsigned long long)number);
}

// Round trips until `until_ns` or `most` of them. Nothing lies between the two clocks but the mechanism.
static MEASURED uint64_t round_trips(struct exchange *x, struct pace *pace, int64_t until_ns, uint64_t most,
	struct histogram *histogram)
{
	struct channel *channel = &x->side->channel;
	const struct mechanism *mechanism = mechanism_find(x->side->options);
	move_message *send = mechanism->send, *receive = mechanism->receive;
	struct lent *lent = channel->lent;
	size_t size = x->side->options->size;
	uint64_t done = 0;
	int64_t start, stop;

	do {
		x->sent = lend(lent, x->sent);
		payload_number(x->sent, size, x->number);
		start = pace_wait(pace);
		send(channel, x->sent, size);
		receive(channel, x->got, size);
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

MEASURED void pingpong_client(struct side *side)
{
	const struct options *o = side->options;
	struct results *results = &side->shared->results;
	struct exchange x = {.side = side};

	x.sent = payload_in(&x.room[0], o->size);
	x.got = payload_in(&x.room[1], o->size);
	payload_fill(x.sent, o->size, o->seed);
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

MEASURED void pingpong_server(struct side *side)
{
	const struct mechanism *mechanism = mechanism_find(side->options);
	struct channel *channel = &side->channel;
	move_message *send = mechanism->send, *receive = mechanism->receive;
	size_t size = side->options->size;
	int64_t work_ns = side->options->work_ns[ANSWERER];
	struct payload_room room;
	char *message = payload_in(&room, size);

	lent_fill(channel->lent, message, size); // touches it
	for (;;) {
		message = lend(channel->lent, message);
		receive(channel, message, size);
		if (atomic_load_explicit(&side->shared->stop, memory_order_relaxed))
			return;
		if (work_ns)
			compute(work_ns);
		send(channel, message, size);
	}
}
