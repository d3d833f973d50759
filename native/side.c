#include "side.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "guard.h"
#include "waiting.h"

void side_meet_supervisor(struct side *side)
{
	uint64_t one = 1;

	if (write(side->ready, &one, sizeof one) < 0 || read(side->go, &one, sizeof one) < 0)
		fail(EXIT_INTERNAL, "eventfd", errno, NULL, "the supervisor could not be asked");
}

// Our own last before the measured part and first after it, so that reading the other's is in neither.
void side_read_counters(struct side *side, struct counters counters[2])
{
	struct shared *shared = side->shared;
	int other = 1 - side->index;

	if (counters == shared->results.end)
		counters[side->index] = counters_read(getpid(), &shared->counts[side->index]);
	counters[other] = counters_read(shared->pids[other], &shared->counts[other]);
	if (counters == shared->results.begin)
		counters[side->index] = counters_read(getpid(), &shared->counts[side->index]);
}

// The kernel ends us when the supervisor ends; if it has ended already, nobody would.
void side_die_with(pid_t supervisor)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		refused("prctl", NULL);
	if (getppid() != supervisor)
		_exit(EXIT_INTERNAL);
}

void side_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		refused("sched_setaffinity", NULL);
}

static void set_policy(enum policy policy)
{
	struct sched_param parameters = {.sched_priority = policy == POLICY_FIFO};

	if (policy == POLICY_OTHER)
		return;
	if (sched_setscheduler(0, policy == POLICY_FIFO ? SCHED_FIFO : SCHED_BATCH, &parameters))
		refused("sched_setscheduler", policy == POLICY_FIFO ? "RLIMIT_RTPRIO" : NULL);
}

static struct side_counts *counts_of(const struct side *side)
{
	return side->peer < 0 ? &side->shared->counts[side->index] : &side->shared->peers[side->peer].counts;
}

static struct channel channel_of(const struct side *side, const struct pair *pair)
{
	int i = side->index;

	return (struct channel){
		.in = pair->ends[i].in,
		.out = pair->ends[i].out,
		.in_ring = pair->rings[1 - i],
		.out_ring = pair->rings[i],
		.lent = pair->lent[i],
		.own = pair->own[i],
		.counts = counts_of(side),
		.side = i,
		.options = side->options,
	};
}

static void close_ends(struct pair *pair, bool ours, int index)
{
	if (!pair->mechanism->close_end)
		return;
	pair->mechanism->close_end(pair, 1 - index);
	if (!ours)
		pair->mechanism->close_end(pair, index);
}

// The hub of a fan has all channels, a peer its own: which is the only one, or the one of its number.
static void connect_to(struct side *side, struct pair *pair)
{
	static struct channel channels[PEERS_MAX];
	bool single = !pair->next;
	int count = 0;

	side->pair = pair;
	side->channels = channels;
	for (int i = 0; pair; pair = pair->next, i++) {
		bool ours = single || side->peer < 0 || side->peer == i;

		close_ends(pair, ours, side->index);
		if (ours)
			channels[count++] = channel_of(side, pair);
	}
	side->channel = channels[0];
	if (side->pair->mechanism->attach)
		side->pair->mechanism->attach(&side->channel);
	waiting_begin(&side->channel, side->pair->mechanism);
}

typedef void side_role(struct side *side);

static side_role *const roles[PATTERNS][2] = {
	[PING_PONG] = {pingpong_client, pingpong_server},
	[STREAM] = {stream_producer, stream_consumer},
	[BURST] = {burst_producer, burst_consumer},
	[FAN_IN] = {fan_peer, fan_hub},
	[FAN_OUT] = {fan_hub, fan_peer},
	[CONNECT] = {connect_client, connect_server},
};

_Noreturn void side_main(struct side *side, struct pair *pair, const sigset_t *signals)
{
	const struct options *o = side->options;

	side_die_with(side->shared->supervisor);
	setpgid(0, side->index == ANSWERER ? 0 : side->shared->pids[ANSWERER]);
	error_on_exit(NULL);
	error_leave_note(&side->shared->note);
	guard_forget();
	signal(SIGPIPE, SIG_IGN); // EPIPE says it better
	sigprocmask(SIG_SETMASK, signals, NULL);
	side_pin(o->cpus[side->index]);
	set_policy(o->policy);
	if (side->index == DRIVER)
		prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); // the default of 50 µs would be counted as latency
	connect_to(side, pair);
	roles[o->pattern][side->index](side);
	_exit(EXIT_DONE);
}
