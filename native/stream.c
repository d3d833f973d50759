// One way, as fast as it goes or at a rate: the consumer checks each message and stops the clock.
#include <unistd.h>

#include "pace.h"
#include "payload.h"

enum { LOOK_AT_CLOCK_EVERY = 32, BIG = 65536 };

struct flow {
	struct side *side;
	const struct mechanism *mechanism;
	char *expected, *got;
	uint64_t number;
};

static void post_last(struct flow *f, enum phase which)
{
	atomic_store_explicit(&f->side->shared->last[which], f->number, memory_order_release);
}

static uint64_t look_every(const struct flow *f, const struct pace *pace)
{
	return f->side->options->size >= BIG || pace->kind == AFTER_WORK ? 1 : LOOK_AT_CLOCK_EVERY;
}

// The last message is announced before it is sent, so that the consumer knows it when it comes.
static uint64_t produce(struct flow *f, enum phase which, struct pace *pace, int64_t until_ns, uint64_t most)
{
	size_t size = f->side->options->size;
	uint64_t sent = 0, look_at = look_every(f, pace) - 1; // a power of two less one
	bool last;

	do {
		if (pace->kind != AT_ONCE)
			pace_wait(pace);
		last = ++sent == most || !pace_more(pace) || (!(sent & look_at) && now_ns() >= until_ns);
		if (last)
			post_last(f, which);
		payload_number(f->expected, size, f->number++);
		f->mechanism->send(&f->side->channel, f->expected, size);
	} while (!last);
	return sent;
}

// What is still on its way belongs to this phase: wait for the consumer to have it all.
static void await_drained(struct flow *f, enum phase which)
{
	while (atomic_load(&f->side->shared->drained) <= (uint64_t)which)
		sleep_until(now_ns() + 20000);
}

static void produce_phase(struct flow *f, enum phase which, int64_t ns, uint64_t most)
{
	struct results *results = &f->side->shared->results;
	int64_t start = now_ns();
	struct pace pace = pace_begin(f->side->options, which, start, start + ns);
	uint64_t sent;

	atomic_store(&f->side->shared->start_ns, start);
	sent = produce(f, which, &pace, start + ns, most);
	if (which == MEASURE) { // our own costs end here, not with the wait
		results->end[DRIVER] = counters_read(getpid(), &f->side->shared->counts[DRIVER]);
		results->messages = sent;
		results->start_ns = start;
	}
	await_drained(f, which);
}

static struct flow flow_begin(struct side *side)
{
	const struct options *o = side->options;

	return (struct flow){side, mechanism_find(o->mechanism), payload_filled(o->size, o->seed), payload_buffer(o->size), 0};
}

void stream_producer(struct side *side)
{
	struct flow f = flow_begin(side);
	struct results *results = &side->shared->results;

	produce_phase(&f, WARM_UP, WARM_UP_NS, pace_few(side->options, WARM_UP_MESSAGES, WARM_UP_NS));
	side_meet_supervisor(side);
	produce_phase(&f, SETTLE, SETTLE_NS, pace_few(side->options, SETTLE_MESSAGES, SETTLE_NS));
	side_read_counters(side, results->begin);
	produce_phase(&f, MEASURE, (int64_t)(side->options->seconds * 1e9), UINT64_MAX);
	results->end[ANSWERER] = counters_read(side->shared->pids[ANSWERER], &side->shared->counts[ANSWERER]);
	results->stop_ns = atomic_load(&side->shared->drained_ns);
	side_meet_supervisor(side);
	f.mechanism->send(&side->channel, f.expected, side->options->size); // lets the consumer go
}

static void check(struct flow *f)
{
	size_t size = f->side->options->size;

	payload_number(f->expected, size, f->number);
	if (memcmp(f->expected, f->got, size))
		fail(EXIT_INTERNAL, "check", 0, NULL, "message %llu came changed", (unsigned long long)f->number);
}

// The arrivals are drawn again, so the intended start of a message is known without being in it.
static void consume(struct flow *f, enum phase which, struct histogram *histogram)
{
	struct shared *shared = f->side->shared;
	int64_t work_ns = f->side->options->work_ns[ANSWERER];
	struct pace pace = {0};
	bool first = true, last = false;
	int64_t now;

	while (!last) {
		f->mechanism->receive(&f->side->channel, f->got, f->side->options->size);
		last = f->number == atomic_load_explicit(&shared->last[which], memory_order_acquire);
		now = histogram || last ? now_ns() : 0;
		check(f);
		if (histogram && first) {
			int64_t start = atomic_load(&shared->start_ns);

			pace = pace_begin(f->side->options, which, start, start + (int64_t)(f->side->options->seconds * 1e9));
			first = false;
		}
		if (histogram) {
			histogram_record(histogram, (uint64_t)(now - arrivals_peek(&pace.arrivals)));
			arrivals_advance(&pace.arrivals);
		}
		f->number++;
		if (__builtin_expect(work_ns != 0, 0))
			compute(work_ns);
	}
	atomic_store(&shared->drained_ns, now);
	atomic_store(&shared->drained, (uint64_t)which + 1);
}

void stream_consumer(struct side *side)
{
	struct flow f = flow_begin(side);

	consume(&f, WARM_UP, NULL);
	consume(&f, SETTLE, NULL);
	consume(&f, MEASURE, side->options->rate > 0 ? &side->shared->histogram : NULL);
	f.mechanism->receive(&side->channel, f.got, side->options->size); // lives until its costs have been read
}
