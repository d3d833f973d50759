// The supervisor: opens the channel, starts both sides as processes of a group of their own, waits for them with a
// time limit, and takes away whatever is left.
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "guard.h"
#include "machine.h"
#include "namespace.h"
#include "report.h"
#include "side.h"
#include "survivor.h"

enum { LOOKS = 2, PATIENCE_NS = 1000000000, PATIENCE_SECONDS = 30, ECHO_NS = 150000000, LOSS_MS = 1000 };

struct supervision {
	const struct options *options;
	struct shared *shared;
	struct ends ends;
	int signals, ready, go;
	sigset_t before;
	int64_t deadline_ns;
	int processes, running, looks;
	struct machine machine[LOOKS];
	int64_t own_ns[LOOKS];
};

static void kill_sides(struct supervision *s)
{
	for (int i = 0; i < s->processes; i++)
		if (s->shared->pids[i] > 0)
			kill(s->shared->pids[i], SIGKILL);
	for (int i = 0; i < s->processes; i++)
		while (s->shared->pids[i] > 0 && waitpid(s->shared->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
}

static _Noreturn void give_up(struct supervision *s, int status, const char *call, const char *message)
{
	kill_sides(s);
	guard_finish();
	fail(status, call, 0, NULL, "%s", message);
}

static void on_signal(struct supervision *s, int number)
{
	if (number == SIGCHLD)
		return;
	give_up(s, 128 + number, "signal", strsignal(number));
}

static bool reap(struct supervision *s)
{
	bool failed = false;
	int status;

	for (int i = 0; i < s->processes; i++) {
		if (s->shared->pids[i] <= 0 || waitpid(s->shared->pids[i], &status, WNOHANG) <= 0)
			continue;
		s->shared->pids[i] = 0;
		s->running--;
		s->ends.ended[i] = true;
		s->ends.status[i] = status;
		failed |= status != 0;
	}
	return failed;
}

// The other would wait for ever, or has been told by the kernel and fails, too: it has a moment to say so. Files of one
// that is killed close before it can be waited for, so the one that is told may even be seen first.
static _Noreturn void on_failure(struct supervision *s)
{
	for (int64_t until = now_ns() + ECHO_NS; s->running && now_ns() < until; reap(s))
		sleep_until(now_ns() + 1000000);
	kill_sides(s);
	guard_finish();
	survivor_tell(s->options, &s->ends, &s->shared->note);
}

static void look_for_losses(struct supervision *s, const struct mechanism *mechanism)
{
	uint64_t lost = mechanism->lost();

	if (!lost)
		return;
	kill_sides(s);
	guard_finish();
	mechanism_lost(s->options, lost);
}

// What is ours of the machine's busy time: all sides and this process.
static int64_t own_cpu_ns(const struct supervision *s)
{
	int64_t total = counters_cpu_ns(getpid());

	for (int i = 0; i < s->processes; i++)
		total += s->shared->pids[i] > 0 ? counters_cpu_ns(s->shared->pids[i]) : 0;
	return total;
}

static void look_at_machine(struct supervision *s)
{
	uint64_t count = 1;

	if (read(s->ready, &count, sizeof count) < 0 || s->looks == LOOKS)
		return;
	s->own_ns[s->looks] = own_cpu_ns(s);
	s->machine[s->looks++] = machine_read();
	if (write(s->go, &count, sizeof count) < 0)
		give_up(s, EXIT_INTERNAL, "write", "an eventfd could not be written");
}

static int patience_ms(int64_t left_ns, const struct mechanism *mechanism)
{
	int64_t ms = left_ns / 1000000 + 1;

	return (int)(mechanism->lost && ms > LOSS_MS ? LOSS_MS : ms);
}

static void supervise(struct supervision *s, const struct mechanism *mechanism)
{
	while (s->running) {
		struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->ready, .events = POLLIN}};
		struct signalfd_siginfo info;
		int64_t left_ns = s->deadline_ns - now_ns();

		if (left_ns <= 0)
			give_up(s, EXIT_INTERNAL, "poll", "both sides were given up: they took far longer than asked for");
		if (poll(fds, 2, patience_ms(left_ns, mechanism)) < 0 && errno != EINTR)
			give_up(s, EXIT_INTERNAL, "poll", strerror(errno));
		if (fds[0].revents && read(s->signals, &info, sizeof info) == sizeof info)
			on_signal(s, (int)info.ssi_signo);
		if (fds[1].revents)
			look_at_machine(s);
		if (reap(s))
			on_failure(s);
		if (mechanism->lost && s->options->pattern != BURST) // which counts them
			look_for_losses(s, mechanism);
		guard_renew();
	}
}

static void watch_signals(struct supervision *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGCHLD, SIG_DFL); // whoever started us may have had it ignored, and then nothing could be reaped
	sigprocmask(SIG_BLOCK, &set, &s->before);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	s->ready = eventfd(0, EFD_CLOEXEC);
	s->go = eventfd(0, EFD_CLOEXEC);
	if (s->signals < 0 || s->ready < 0 || s->go < 0)
		refused("signalfd", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
}

static struct shared *share(void)
{
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		refused("mmap", NULL);
	shared->supervisor = getpid();
	histogram_clear(&shared->histogram); // touches its pages, too
	for (int i = 0; i < PHASES; i++)
		atomic_store(&shared->last[i], UINT64_MAX);
	return shared;
}

// Who is the process of that slot? The first peer of a fan has the place that it would have as one of two.
static struct side side_of(const struct supervision *s, const struct options *options, int slot)
{
	int many = options->pattern == FAN_IN ? DRIVER : ANSWERER;
	struct side side = {.options = options, .shared = s->shared, .index = slot, .peer = -1, .ready = s->ready, .go = s->go};

	if (slot > ANSWERER) {
		side.index = many;
		side.peer = slot - ANSWERER;
	} else if (options->peers && slot == many) {
		side.peer = 0;
	}
	return side;
}

static void start_one(struct supervision *s, struct pair *pair, const struct options *options, int slot)
{
	struct side side = side_of(s, options, slot);
	pid_t pid = fork();

	if (pid < 0)
		give_up(s, EXIT_REFUSED, "fork", strerror(errno));
	if (!pid)
		side_main(&side, pair, &s->before);
	s->shared->pids[slot] = pid;
	setpgid(pid, s->shared->pids[ANSWERER]); // the side does the same: whoever comes first
	s->running++;
}

// The answering side first: the driver has to know its process id.
static void start(struct supervision *s, struct pair *pair, const struct options *options)
{
	start_one(s, pair, options, ANSWERER);
	start_one(s, pair, options, DRIVER);
	for (int slot = ANSWERER + 1; slot < s->processes; slot++)
		start_one(s, pair, options, slot);
	for (; pair; pair = pair->next)
		for (int i = 0; i < 2; i++)
			if (pair->mechanism->close_end)
				pair->mechanism->close_end(pair, i);
}

static void check_fit(const struct mechanism *m, const struct options *options)
{
	int64_t most = m->max_size ? m->max_size() : -1;

	if (!mechanism_has(m, options->pattern))
		usage("--pattern %s: %s can't do that", pattern_names[options->pattern], m->name);
	if (options->capacity && !m->has_capacity)
		usage("--capacity: %s has none", m->name);
	if ((options->pages != PAGES_NORMAL || options->slots) && !m->has_ring)
		usage("--pages and --slots: %s has no ring of messages", m->name);
	if (options->spin_ns && !m->has_spin)
		usage("--spin: %s does not spin for a bounded time", m->name);
	if (most >= 0 && (int64_t)options->size > most && !(options->capacity && m->size_by_capacity))
		fail(EXIT_REFUSED, m->name, EMSGSIZE, m->max_size_limit, "a message of %zu bytes; the limit is %lld", options->size,
			(long long)most);
}

static void prepare_pair(struct pair *pair, const struct mechanism *m, const struct options *options)
{
	*pair = (struct pair){.mechanism = m, .options = options, .slots = -1, .size = options->size, .stream = one_way(options->pattern),
		.capacity_wanted = options->capacity, .capacity = -1, .ends = {{-1, -1}, {-1, -1}}};
	if (getrandom(&pair->token, sizeof pair->token, 0) != sizeof pair->token)
		refused("getrandom", NULL);
}

static struct pair *open_pairs(const struct options *options, bool private)
{
	static struct pair pairs[PEERS_MAX]; // the guard looks at them until the end
	const struct mechanism *m = mechanism_find(options);
	int count = mechanism_sharing(m, options) == CHANNEL_EACH ? options->peers : 1;

	check_fit(m, options);
	for (int i = 0; i < count; i++) {
		prepare_pair(&pairs[i], m, options);
		if (i)
			pairs[i - 1].next = &pairs[i];
	}
	if (!private || m->in_file_system)
		guard_start(pairs);
	for (int i = 0; i < count; i++) {
		if (options->pattern == CONNECT)
			pairs[i].ends[ANSWERER].in = m->connections->listen(&pairs[i]);
		else
			m->open(&pairs[i]);
	}
	if (m->in_file_system && options->pattern != CONNECT)
		guard_finish(); // the names have gone
	return pairs;
}

static int64_t deadline_ns(const struct options *o)
{
	int64_t idle_ns = o->gap_ns + o->work_ns[DRIVER] + o->work_ns[ANSWERER];

	return now_ns() + (int64_t)(3 * o->seconds + PATIENCE_SECONDS) * PATIENCE_NS + (4 + 2 * o->burst) * idle_ns;
}

int run(const struct options *options)
{
	struct supervision s = {.options = options, .shared = share(), .processes = options->peers ? 1 + options->peers : 2};
	bool private;
	struct pair *pairs;

	mechanism_find(options);
	private = namespace_enter(options);
	watch_signals(&s);
	pairs = open_pairs(options, private);
	if (is_fan(options->pattern))
		fan_prepare(options);
	s.deadline_ns = deadline_ns(options);
	start(&s, pairs, options);
	supervise(&s, pairs->mechanism);
	guard_finish();
	if (s.looks < LOOKS)
		fail(EXIT_INTERNAL, "wait", 0, NULL, "the sides ended without a result");
	report_block(&(struct block){options, pairs, s.shared, pairs->capacity, private, {s.machine[0], s.machine[1]}, s.own_ns[1] - s.own_ns[0]});
	return EXIT_DONE;
}
