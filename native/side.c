#include "side.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "guard.h"

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

static void connect_to(struct side *side, struct pair *pair)
{
	int i = side->index;

	if (pair->mechanism->close_end)
		pair->mechanism->close_end(pair, 1 - i);
	side->channel = (struct channel){
		.in = pair->ends[i].in,
		.out = pair->ends[i].out,
		.in_ring = pair->rings[1 - i],
		.out_ring = pair->rings[i],
		.counts = &side->shared->counts[i],
		.side = i,
	};
}

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
	if (side->index == DRIVER)
		o->pattern == STREAM ? stream_producer(side) : pingpong_client(side);
	else
		o->pattern == STREAM ? stream_consumer(side) : pingpong_server(side);
	_exit(EXIT_DONE);
}
