// A connection for each request, as clients without a pool make it: connect, one request, one reply, close. The clock
// runs from before the connect to after the close.
#include <unistd.h>

#include "channel.h"
#include "pace.h"
#include "payload.h"

struct calls {
	struct side *side;
	const struct connections *connections;
	char *sent, *got;
	uint64_t number;
};

static void hang_up(struct channel *channel)
{
	close(channel->in);
	channel->counts->syscalls++;
}

static void call(struct calls *c)
{
	struct channel *channel = &c->side->channel;
	size_t size = c->side->options->size;

	channel->in = channel->out = c->connections->connect(c->side->pair, channel->counts);
	send_all(channel, c->sent, size);
	receive_all(channel, c->got, size);
	hang_up(channel);
}

static uint64_t round_trips(struct calls *c, struct pace *pace, int64_t until_ns, uint64_t most, struct histogram *histogram)
{
	size_t size = c->side->options->size;
	uint64_t done = 0;
	int64_t start, stop;

	do {
		payload_number(c->sent, size, c->number++);
		start = pace_wait(pace);
		call(c);
		stop = now_ns();
		if (memcmp(c->sent, c->got, size))
			fail(EXIT_INTERNAL, "check", 0, NULL, "reply %llu came back changed", (unsigned long long)c->number - 1);
		if (histogram)
			histogram_record(histogram, (uint64_t)(stop - start));
		done++;
	} while (stop < until_ns && done < most && pace_more(pace));
	return done;
}

static void phase(struct calls *c, enum phase which, int64_t ns, uint64_t most)
{
	struct results *results = &c->side->shared->results;
	struct histogram *histogram = which == MEASURE ? &c->side->shared->histogram : NULL;
	int64_t start = now_ns();
	struct pace pace = pace_begin(c->side->options, which, start, start + ns);
	uint64_t done = round_trips(c, &pace, start + ns, most, histogram);

	results->messages = done;
	results->start_ns = start;
	results->stop_ns = now_ns();
}

static struct calls calls_begin(struct side *side)
{
	const struct options *o = side->options;

	return (struct calls){side, side->pair->mechanism->connections, payload_filled(o->size, o->seed), payload_buffer(o->size), 0};
}

void connect_client(struct side *side)
{
	struct calls c = calls_begin(side);
	struct results *results = &side->shared->results;

	phase(&c, WARM_UP, WARM_UP_NS, WARM_UP_MESSAGES);
	side_meet_supervisor(side);
	if (!side->options->rate && !side->options->gap_ns)
		phase(&c, SETTLE, SETTLE_NS, SETTLE_MESSAGES);
	side_read_counters(side, results->begin);
	phase(&c, MEASURE, (int64_t)(side->options->seconds * 1e9), UINT64_MAX);
	side_read_counters(side, results->end);
	side_meet_supervisor(side);
	atomic_store(&side->shared->stop, 1);
	close(c.connections->connect(side->pair, side->channel.counts)); // lets the server go
}

// Whoever else connects to the port and goes before a whole request came is turned away: our client never does.
static bool take_request(struct channel *channel, char *message, size_t size)
{
	while (size) {
		ssize_t n = read(channel->in, message, size);

		channel->counts->syscalls++;
		if (n <= 0 && !(n < 0 && errno == EINTR))
			return false;
		message += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

void connect_server(struct side *side)
{
	const struct connections *connections = side->pair->mechanism->connections;
	struct channel *channel = &side->channel;
	size_t size = side->options->size;
	char *message = payload_buffer(size);
	int listener = channel->in;

	for (;;) {
		channel->in = channel->out = connections->accept(side->pair, listener, channel->counts);
		if (atomic_load_explicit(&side->shared->stop, memory_order_relaxed))
			return;
		if (take_request(channel, message, size)) {
			if (side->options->work_ns[ANSWERER])
				compute(side->options->work_ns[ANSWERER]);
			send_all(channel, message, size);
		}
		hang_up(channel);
	}
}
