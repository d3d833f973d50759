// One producer, many consumers: each message goes to one of them. Who got which is the kernel's choice (one channel) or
// whose channel has room; so order is checked where the number is whole, and that all came by their count and sum.
#include <sched.h>

#include "fan.h"

// Whom is it for? In a channel for all nobody knows.
static unsigned addressee(const struct fan *f, const struct channel *channel)
{
	return f->epoll < 0 ? 0 : (unsigned)(channel - f->side->channels);
}

static void end_all(struct fan *f)
{
	for (int i = 0; i < f->side->options->peers; i++) {
		struct channel *channel = f->epoll < 0 ? &f->side->channel : &f->side->channels[i];

		fan_send(f, channel, f->body, addressee(f, channel), f->end);
	}
}

void fan_out_produce(struct fan *f, enum phase which)
{
	struct pace pace = fan_pace(f, 0, which);
	int64_t until_ns = atomic_load(&f->side->shared->start_ns) + fan_phase_ns(f->side->options, which);
	uint64_t sent = 0, number = 0, sum = 0, most = fan_most(f->side->options, which);

	do {
		struct channel *channel = fan_channel(f);

		if (pace.kind != AT_ONCE)
			pace_wait(&pace);
		fan_send(f, channel, f->body, addressee(f, channel), number);
		sum += number;
		number = fan_next(f, number);
		sent++;
	} while (fan_goes_on(f, &pace, sent, most, until_ns));
	if (sent < f->end) // or numbers begin again, and nobody can tell
		atomic_store(&f->side->shared->last[which], sent);
	end_all(f);
	f->sent = sent;
	f->sum = sum;
}

static struct histogram own_latencies; // each consumer's, added up when it is over

static void merge(struct shared *shared)
{
	while (atomic_exchange(&shared->merging, 1))
		sched_yield();
	histogram_add(&shared->histogram, &own_latencies);
	atomic_store(&shared->merging, 0);
}

// `until` is how many there are, once that is known: an end mark that came changed would be waited for otherwise.
static void check(const struct fan *f, struct fan_word word, const struct peer *own, uint64_t least, uint64_t until)
{
	bool each = mechanism_sharing(f->mechanism, f->side->options) == CHANNEL_EACH;
	bool ordered = f->size < WHOLE_NUMBER || word.number >= least, known = word.number < until || word.number == f->end;

	if (word.peer != (each ? (unsigned)f->side->peer : 0) || fan_differs(f, 0) || !ordered || !known)
		fan_changed((unsigned)f->side->peer, own->messages);
}

// The arrivals are drawn again up to the one of this number: other consumers had those before it.
static int64_t due(struct pace *pace, uint64_t *drawn, uint64_t number)
{
	for (; *drawn < number; ++*drawn)
		arrivals_advance(&pace->arrivals);
	return arrivals_peek(&pace->arrivals);
}

void fan_out_consume(struct fan *f, enum phase which)
{
	const struct options *o = f->side->options;
	bool timed = which == MEASURE && o->rate > 0;
	struct peer *own = &f->side->shared->peers[f->side->peer];
	struct pace pace = fan_pace(f, 0, which);
	uint64_t drawn = 0, least = 0;

	own->messages = own->sum = 0;
	if (timed)
		histogram_clear(&own_latencies);
	for (;;) {
		struct fan_word word = fan_receive(f, &f->side->channel);
		int64_t now = timed ? now_ns() : 0;

		check(f, word, own, least, atomic_load(&f->side->shared->last[which]));
		if (word.number == f->end)
			break;
		least = word.number + 1;
		own->messages++;
		own->sum += word.number;
		if (timed)
			histogram_record(&own_latencies, (uint64_t)(now - due(&pace, &drawn, word.number)));
		if (o->work_ns[ANSWERER])
			compute(o->work_ns[ANSWERER]);
	}
	own->stop_ns = now_ns();
	if (timed)
		merge(f->side->shared);
}

void fan_out_check(const struct fan *f)
{
	struct results *results = &f->side->shared->results;
	uint64_t messages = 0, sum = 0;

	results->stop_ns = 0;
	for (int i = 0; i < f->side->options->peers; i++) {
		const struct peer *peer = &f->side->shared->peers[i];

		messages += peer->messages;
		sum += peer->sum;
		results->stop_ns = peer->stop_ns > results->stop_ns ? peer->stop_ns : results->stop_ns;
	}
	if (messages != f->sent || sum != f->sum)
		fail(EXIT_INTERNAL, "check", 0, NULL, "%llu messages came, %llu were sent, or not the same ones", (unsigned long long)messages,
			(unsigned long long)f->sent);
	results->messages = messages;
}
