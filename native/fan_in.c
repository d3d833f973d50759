// Many producers, one consumer: the order of each producer is checked, and how many messages each sent and came.
#include "fan.h"

void fan_in_produce(struct fan *f, enum phase which)
{
	unsigned peer = (unsigned)f->side->peer;
	struct peer *own = &f->side->shared->peers[peer];
	char *message = f->body + peer * BODY_STEP;
	struct pace pace = fan_pace(f, peer, which);
	int64_t until_ns = atomic_load(&f->side->shared->start_ns) + fan_phase_ns(f->side->options, which);
	uint64_t sent = 0, number = 0, most = fan_most(f->side->options, which);

	do {
		if (pace.kind != AT_ONCE)
			pace_wait(&pace);
		fan_send(f, &f->side->channel, message, peer, number);
		number = fan_next(f, number);
		sent++;
	} while (fan_goes_on(f, &pace, sent, most, until_ns));
	own->messages = sent;
	atomic_thread_fence(memory_order_seq_cst); // before its end mark, at which the consumer compares
	fan_send(f, &f->side->channel, message, peer, f->end);
}

// What came of one producer so far.
struct heard {
	uint64_t messages, number;
	bool ended;
	struct pace pace;
};

static void end_of(const struct fan *f, unsigned peer, struct heard *heard)
{
	uint64_t sent = f->side->shared->peers[peer].messages;

	atomic_thread_fence(memory_order_seq_cst);
	heard->ended = true;
	if (heard->messages != sent)
		fail(EXIT_INTERNAL, "check", 0, NULL, "%llu messages of peer %u came, %llu were sent", (unsigned long long)heard->messages,
			peer, (unsigned long long)sent);
}

static void check(const struct fan *f, struct fan_word word, const struct heard *heard)
{
	if (heard->ended || (word.number != f->end && word.number != heard->number) || fan_differs(f, word.peer))
		fan_changed(word.peer, heard->messages);
}

static void record(struct fan *f, struct heard *heard, int64_t now)
{
	histogram_record(&f->side->shared->histogram, (uint64_t)(now - arrivals_peek(&heard->pace.arrivals)));
	arrivals_advance(&heard->pace.arrivals);
}

static void begin_hearing(struct fan *f, enum phase which, struct heard heard[])
{
	for (int i = 0; i < f->side->options->peers; i++)
		heard[i] = (struct heard){.pace = fan_pace(f, (unsigned)i, which)};
}

static void sum_up(struct fan *f, const struct heard heard[])
{
	struct results *results = &f->side->shared->results;

	results->messages = 0;
	for (int i = 0; i < f->side->options->peers; i++)
		results->messages += heard[i].messages;
	results->stop_ns = now_ns();
}

void fan_in_consume(struct fan *f, enum phase which)
{
	const struct options *o = f->side->options;
	bool timed = which == MEASURE && o->rate > 0;
	int peers = o->peers, ended = 0;
	struct heard heard[PEERS_MAX];

	begin_hearing(f, which, heard);
	while (ended < peers) {
		struct fan_word word = fan_receive(f, fan_channel(f));
		int64_t now = timed ? now_ns() : 0;
		struct heard *of = &heard[word.peer];

		if (word.peer >= (unsigned)peers)
			fan_changed(word.peer, word.number);
		check(f, word, of);
		if (word.number == f->end) {
			end_of(f, word.peer, of);
			ended++;
			continue;
		}
		of->messages++;
		of->number = fan_next(f, of->number);
		if (timed)
			record(f, of, now);
		if (o->work_ns[ANSWERER])
			compute(o->work_ns[ANSWERER]);
	}
	sum_up(f, heard);
}
