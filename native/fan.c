// From phase to phase: the hub opens each, and goes on when every peer has been through it.
#include "fan.h"

#include <unistd.h>

static struct counters own_counters(const struct side *side)
{
	return counters_read(getpid(), side->channel.counts);
}

static void sum_counters(const struct side *side)
{
	struct results *results = &side->shared->results;
	struct counters *begin = &results->begin[1 - side->index], *end = &results->end[1 - side->index];

	*begin = *end = (struct counters){0};
	for (int i = 0; i < side->options->peers; i++) {
		counters_add(begin, &side->shared->peers[i].begin);
		counters_add(end, &side->shared->peers[i].end);
	}
}

static void shares(const struct side *side)
{
	struct results *results = &side->shared->results;

	results->least = UINT64_MAX;
	results->most = 0;
	for (int i = 0; i < side->options->peers; i++) {
		uint64_t messages = side->shared->peers[i].messages;

		results->least = messages < results->least ? messages : results->least;
		results->most = messages > results->most ? messages : results->most;
	}
}

static void hub_phase(struct fan *f, enum phase which)
{
	struct side *side = f->side;
	struct shared *shared = side->shared;

	if (which == MEASURE)
		shared->results.begin[side->index] = own_counters(side);
	atomic_store(&shared->start_ns, now_ns());
	gate_raise(&shared->opened);
	side->index == DRIVER ? fan_out_produce(f, which) : fan_in_consume(f, which);
	if (which == MEASURE)
		shared->results.end[side->index] = own_counters(side);
	gate_await(&shared->arrived, (uint32_t)(which + 1) * (uint32_t)side->options->peers);
	if (side->index == DRIVER)
		fan_out_check(f);
}

void fan_hub(struct side *side)
{
	struct fan f = fan_begin(side);

	for (enum phase which = WARM_UP; which < PHASES; which++) {
		hub_phase(&f, which);
		if (which == WARM_UP)
			side_meet_supervisor(side);
	}
	side->shared->results.start_ns = atomic_load(&side->shared->start_ns);
	sum_counters(side);
	shares(side);
	side_meet_supervisor(side);
	gate_raise(&side->shared->opened); // lets the peers go
}

// Its costs are read between the phases, while it waits for the hub: one wake-up more is in them.
void fan_peer(struct side *side)
{
	struct fan f = fan_begin(side);
	struct shared *shared = side->shared;
	struct peer *own = &shared->peers[side->peer];

	for (enum phase which = WARM_UP; which < PHASES; which++) {
		gate_await(&shared->opened, (uint32_t)which + 1);
		side->index == DRIVER ? fan_in_produce(&f, which) : fan_out_consume(&f, which);
		if (which == SETTLE)
			own->begin = own_counters(side);
		if (which == MEASURE)
			own->end = own_counters(side);
		gate_raise(&shared->arrived);
	}
	gate_await(&shared->opened, PHASES + 1);
}
