// One block as JSON. `messages` counts round trips or one-way messages, `bytes` their payload in one direction.
#include "report.h"

#include "json.h"

void report_latency(const struct histogram *h, const char *kind)
{
	if (!h->count) {
		json_null("latency");
		return;
	}
	json_open("latency", '{');
	json_string("kind", kind);
	json_unsigned("count", h->count);
	json_unsigned("min", h->min);
	json_real("p50", histogram_quantile(h, 0.5));
	json_real("p90", histogram_quantile(h, 0.9));
	json_real("p99", histogram_quantile(h, 0.99));
	json_real("p999", histogram_quantile(h, 0.999));
	json_unsigned("max", h->max);
	json_real("mean", (double)h->sum / (double)h->count);
	histogram_print(h);
	json_close('}');
}

static void ring(const struct block *b)
{
	json_string("pages", b->pair->pages);
	json_optional("slots", b->pair->slots);
	json_optional("spin_ns", b->pair->mechanism->has_spin ? option_spin_ns(b->options) : -1);
}

static void head(const struct block *b)
{
	const struct options *o = b->options;

	json_string("mechanism", o->mechanism);
	json_string("pattern", pattern_names[o->pattern]);
	json_unsigned("size", o->size);
	json_open("cpus", '[');
	json_integer(NULL, o->cpus[0]);
	json_integer(NULL, o->cpus[1]);
	json_close(']');
	json_real("rate", o->rate);
	json_integer("gap_ns", o->gap_ns);
	json_integer("work_ns", o->work_ns[ANSWERER]);
	json_integer("work_driver_ns", o->work_ns[DRIVER]);
	json_unsigned("seed", o->seed);
	json_optional("capacity", b->capacity);
	ring(b);
	json_string("wait", wait_names[o->wait]);
	json_unsigned("write_size", o->write_size);
	json_unsigned("batch", o->batch);
	json_bool("noerror", o->noerror);
	json_string("ipc_namespace", b->private_namespace ? "private" : "present");
}

static void totals(const struct block *b)
{
	const struct results *r = &b->shared->results;

	json_real("seconds", (double)(r->stop_ns - r->start_ns) / 1e9);
	json_unsigned("messages", r->messages);
	json_unsigned("bytes", r->messages * b->options->size);
}

static void latency(const struct block *b)
{
	report_latency(&b->shared->histogram, one_way(b->options->pattern) ? "one-way" : "round-trip");
}

// Of both sides together.
static void zerocopy(const struct block *b)
{
	uint64_t completions = 0, copied = 0;

	if (!mechanism_find(b->options)->reports_copies) {
		json_null("zerocopy");
		return;
	}
	for (int i = 0; i < 2; i++) {
		completions += b->shared->results.end[i].completions - b->shared->results.begin[i].completions;
		copied += b->shared->results.end[i].copied - b->shared->results.begin[i].copied;
	}
	json_open("zerocopy", '{');
	json_unsigned("completions", completions);
	json_unsigned("copied", copied);
	json_close('}');
}

static int64_t growth(int64_t from, int64_t to)
{
	return from < 0 || to < 0 ? -1 : to - from;
}

const char *report_role(const struct options *options, int side)
{
	bool stream = one_way(options->pattern);

	return side == DRIVER ? (stream ? "producer" : "client") : (stream ? "consumer" : "server");
}

static void side(const struct block *b, int index)
{
	const struct counters *from = &b->shared->results.begin[index], *to = &b->shared->results.end[index];

	json_open(NULL, '{');
	json_string("role", report_role(b->options, index));
	json_optional("cpu_ns", growth(from->cpu_ns, to->cpu_ns));
	json_optional("voluntary_switches", growth(from->voluntary_switches, to->voluntary_switches));
	json_optional("involuntary_switches", growth(from->involuntary_switches, to->involuntary_switches));
	json_optional("minor_faults", growth(from->minor_faults, to->minor_faults));
	json_optional("major_faults", growth(from->major_faults, to->major_faults));
	json_unsigned("syscalls", to->syscalls - from->syscalls);
	json_optional("blocked", mechanism_find(b->options)->counts_blocked ? (int64_t)(to->blocked - from->blocked) : -1);
	json_optional("run_delay_ns", growth(from->run_delay_ns, to->run_delay_ns));
	json_close('}');
}

// Where busy time comes in ticks, it may be less than what we know of ourselves.
static int64_t not_below_0(int64_t value)
{
	return value > 0 ? value : 0;
}

static void machine(const struct block *b)
{
	const struct machine *from = &b->machine[0], *to = &b->machine[1];
	int64_t busy = growth(from->busy_ns, to->busy_ns);

	json_open("machine", '{');
	json_real("seconds", (double)(to->wall_ns - from->wall_ns) / 1e9);
	json_optional("steal_ns", growth(from->steal_ns, to->steal_ns));
	json_optional("busy_ns", busy);
	json_optional("foreign_ns", busy < 0 ? -1 : not_below_0(busy - b->own_ns));
	json_optional("poll_ns", growth(from->poll_ns, to->poll_ns));
	json_close('}');
}

// How many peers a fan had, how they reached its hub, and the least and most messages that one of them had.
static void fan(const struct block *b)
{
	const struct options *o = b->options;
	const struct results *r = &b->shared->results;

	json_optional("peers", o->peers ? o->peers : -1);
	if (!o->peers) {
		json_null("sharing");
		json_null("share");
		return;
	}
	json_string("sharing", mechanism_sharing(mechanism_find(o), o) == ONE_CHANNEL ? "one channel" : "a channel each");
	json_open("share", '[');
	json_unsigned(NULL, r->least);
	json_unsigned(NULL, r->most);
	json_close(']');
}

static void burst(const struct block *b)
{
	const struct tally *t = &b->shared->results.burst;

	if (!b->options->burst) {
		json_null("burst");
		return;
	}
	json_open("burst", '{');
	json_unsigned("bursts", t->bursts);
	json_unsigned("offered", t->offered);
	json_unsigned("accepted", t->accepted);
	json_unsigned("partial", t->partial);
	json_unsigned("received", t->received);
	json_unsigned("lost", t->accepted > t->received ? t->accepted - t->received : 0);
	json_unsigned("refused", t->refused);
	json_string("errno", t->number > 0 ? error_name(t->number) : NULL);
	json_unsigned("fits", t->fits);
	json_close('}');
}

void report_block(const struct block *b)
{
	json_open(NULL, '{');
	head(b);
	totals(b);
	latency(b);
	json_open("sides", '[');
	side(b, DRIVER);
	side(b, ANSWERER);
	json_close(']');
	zerocopy(b);
	fan(b);
	burst(b);
	machine(b);
	json_close('}');
	json_end();
}
