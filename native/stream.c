// One way, as fast as it goes or at a rate: the consumer checks each message and stops the clock.
#include <unistd.h>

#include "lend.h"
#include "payload.h"
#include "stream.h"

enum { LOOK_AT_CLOCK_EVERY = 32, BIG = 65536 };

static bool looks(const struct flow *f, const struct pace *pace, uint64_t sent)
{
	return sent % LOOK_AT_CLOCK_EVERY == 0 || f->side->options->size >= BIG || pace->kind == AFTER_WORK;
}

bool stream_last(struct flow *f, enum phase which, const struct pace *pace, uint64_t sent, int64_t until_ns, uint64_t most)
{
	if (sent != most && pace_more(pace) && !(looks(f, pace, sent) && now_ns() >= until_ns))
		return false;
	atomic_store_explicit(&f->side->shared->last[which], f->number, memory_order_release);
	return true;
}

static uint64_t produce(struct flow *f, enum phase which, struct pace *pace, int64_t until_ns, uint64_t most)
{
	struct lent *lent = f->side->channel.lent;
	size_t size = f->side->options->size;
	char *message = f->expected;
	uint64_t sent = 0;
	bool last;

	do {
		if (pace->kind != AT_ONCE)
			pace_wait(pace);
		last = stream_last(f, which, pace, ++sent, until_ns, most);
		message = lend(lent, message);
		payload_number(message, size, f->number++);
		f->mechanism->send(&f->side->channel, message, size);
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
	sent = (f->side->options->batch > 1 ? batch_produce : produce)(f, which, &pace, start + ns, most);
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
	char *one = payload_filled(o->size, o->seed), *all = payload_buffer(o->size * o->batch);

	for (size_t i = 0; i < o->batch; i++)
		memcpy(all + i * o->size, one, o->size);
	return (struct flow){side, mechanism_find(o), all, payload_buffer(o->size * o->batch), 0};
}

void stream_producer(struct side *side)
{
	struct flow f = flow_begin(side);
	struct results *results = &side->shared->results;

	lent_fill(side->channel.lent, f.expected, side->options->size);
	produce_phase(&f, WARM_UP, WARM_UP_NS, pace_few(side->options, WARM_UP_MESSAGES, WARM_UP_NS));
	side_meet_supervisor(side);
	produce_phase(&f, SETTLE, SETTLE_NS, pace_few(side->options, SETTLE_MESSAGES, SETTLE_NS));
	side_read_counters(side, results->begin);
	produce_phase(&f, MEASURE, (int64_t)(side->options->seconds * 1e9), UINT64_MAX);
	results->end[ANSWERER] = counters_read(side->shared->pids[ANSWERER], &side->shared->counts[ANSWERER]);
	results->stop_ns = atomic_load(&side->shared->drained_ns);
	side_meet_supervisor(side);
	f.mechanism->send(&side->channel, lend(side->channel.lent, f.expected), side->options->size); // lets the consumer go
}

// All but the number is right: then it is a later message, where some can be lost.
static _Noreturn void wrong(const struct flow *f, const char *message)
{
	size_t size = f->side->options->size, number = sizeof f->number;

	if (f->mechanism->lost && (size <= number || !memcmp(f->expected + number, message + number, size - number))) {
		uint64_t lost = f->mechanism->lost();

		if (lost)
			mechanism_lost(f->side->options, lost);
	}
	fail(EXIT_INTERNAL, "check", 0, NULL, "message %llu came changed", (unsigned long long)f->number);
}

static void check(struct flow *f, const char *message)
{
	size_t size = f->side->options->size;

	payload_number(f->expected, size, f->number);
	if (memcmp(f->expected, message, size))
		wrong(f, message);
}

// The arrivals are drawn again, so the intended start of a message is known without being in it.
static void record(struct flow *f, enum phase which, struct histogram *histogram, struct pace *pace, int64_t when_ns)
{
	if (pace->kind != WHEN_DUE) {
		int64_t start = atomic_load(&f->side->shared->start_ns);

		*pace = pace_begin(f->side->options, which, start, start + (int64_t)(f->side->options->seconds * 1e9));
	}
	histogram_record(histogram, (uint64_t)(when_ns - arrivals_peek(&pace->arrivals)));
	arrivals_advance(&pace->arrivals);
}

void stream_came(struct flow *f, const char *message, enum phase which, struct histogram *histogram, struct pace *pace, int64_t when_ns)
{
	check(f, message);
	if (histogram)
		record(f, which, histogram, pace, when_ns);
	f->number++;
}

static int64_t consume_singly(struct flow *f, enum phase which, struct histogram *histogram, struct pace *pace)
{
	int64_t work_ns = f->side->options->work_ns[ANSWERER], now;
	bool last;

	do {
		f->mechanism->receive(&f->side->channel, f->got, f->side->options->size);
		last = f->number == atomic_load_explicit(&f->side->shared->last[which], memory_order_acquire);
		now = histogram || last ? now_ns() : 0;
		stream_came(f, f->got, which, histogram, pace, now);
		if (__builtin_expect(work_ns != 0, 0))
			compute(work_ns);
	} while (!last);
	return now;
}

static void consume(struct flow *f, enum phase which, struct histogram *histogram)
{
	struct shared *shared = f->side->shared;
	struct pace pace = {0};
	bool batches = f->side->options->batch > 1;

	atomic_store(&shared->drained_ns, (batches ? batch_consume : consume_singly)(f, which, histogram, &pace));
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
