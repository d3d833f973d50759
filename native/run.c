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

enum { LOOKS = 2, NOTICE_MS = 100, PATIENCE_NS = 1000000000, PATIENCE_SECONDS = 30 };

struct supervision {
	const struct options *options;
	struct shared *shared;
	int signals, ready, go;
	sigset_t before;
	int64_t deadline_ns;
	int running, looks;
	int status[2]; // as waitpid(2) gave it, of sides that have ended
	struct machine machine[LOOKS];
	int64_t own_ns[LOOKS];
};

static void kill_sides(struct supervision *s)
{
	for (int i = 0; i < 2; i++)
		if (s->shared->pids[i] > 0)
			kill(s->shared->pids[i], SIGKILL);
	for (int i = 0; i < 2; i++)
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

static bool has_ended(struct supervision *s, int side)
{
	pid_t *pid = &s->shared->pids[side];

	if (*pid > 0 && waitpid(*pid, &s->status[side], WNOHANG) == *pid) {
		*pid = 0;
		s->running--;
	}
	return *pid <= 0;
}

static const char *what_it_met(const struct supervision *s, int side)
{
	if (atomic_load(&s->shared->note.complete))
		return s->shared->note.message;
	return s->shared->pids[side] > 0 ? "noticed nothing and would have waited for ever" : "had ended";
}

static _Noreturn void on_death(struct supervision *s, int side)
{
	int number = WTERMSIG(s->status[side]);
	const char *met = what_it_met(s, 1 - side);

	kill_sides(s);
	guard_finish();
	fail(EXIT_INTERNAL, "wait", 0, NULL, "the %s was ended by signal %d (%s); the %s: %s", report_role(s->options, side), number,
		strsignal(number), report_role(s->options, 1 - side), met);
}

// One side has ended before its time. Whether the other learns of it is the mechanism's, and an error may be seen
// before the death that it comes from: so the other has a moment.
static _Noreturn void on_failure(struct supervision *s, int side)
{
	int status = s->status[side];

	if (WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_INTERNAL)
		for (int i = 0; i < NOTICE_MS && !has_ended(s, 1 - side); i++)
			sleep_until(now_ns() + 1000000);
	for (int i = 0; i < 2; i++)
		if (WIFSIGNALED(s->status[i]))
			on_death(s, i);
	kill_sides(s);
	guard_finish();
	if (atomic_load(&s->shared->note.complete))
		error_print_note(&s->shared->note);
	fail(EXIT_INTERNAL, "wait", 0, NULL, "a side ended with status %d", WEXITSTATUS(status));
}

static void reap(struct supervision *s)
{
	for (int i = 0; i < 2; i++)
		if (has_ended(s, i) && s->status[i])
			on_failure(s, i);
}

// What is ours of the machine's busy time: both sides and this process.
static int64_t own_cpu_ns(const struct supervision *s)
{
	int64_t total = counters_cpu_ns(getpid());

	for (int i = 0; i < 2; i++)
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

static void supervise(struct supervision *s)
{
	while (s->running) {
		struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->ready, .events = POLLIN}};
		struct signalfd_siginfo info;
		int64_t left_ns = s->deadline_ns - now_ns();

		if (left_ns <= 0)
			give_up(s, EXIT_INTERNAL, "poll", "both sides were given up: they took far longer than asked for");
		if (poll(fds, 2, (int)(left_ns / 1000000 + 1)) < 0 && errno != EINTR)
			give_up(s, EXIT_INTERNAL, "poll", strerror(errno));
		if (fds[0].revents && read(s->signals, &info, sizeof info) == sizeof info)
			on_signal(s, (int)info.ssi_signo);
		if (fds[1].revents)
			look_at_machine(s);
		reap(s);
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

// The answering side first: the driver has to know its process id.
static void start(struct supervision *s, struct pair *pair, const struct options *options)
{
	for (int i = ANSWERER; i >= DRIVER; i--) {
		pid_t pid = fork();

		if (pid < 0)
			give_up(s, EXIT_REFUSED, "fork", strerror(errno));
		if (!pid)
			side_main(&(struct side){.options = options, .shared = s->shared, .index = i, .ready = s->ready, .go = s->go}, pair,
				&s->before);
		s->shared->pids[i] = pid;
		setpgid(pid, s->shared->pids[ANSWERER]); // the side does the same: whoever comes first
		s->running++;
	}
	for (int i = 0; i < 2; i++)
		if (pair->mechanism->close_end)
			pair->mechanism->close_end(pair, i);
}

static struct pair open_pair(const struct options *options, bool private)
{
	static struct pair pair; // the guard looks at it until the end
	const struct mechanism *m = mechanism_find(options->mechanism);
	int64_t most = m->max_size ? m->max_size() : -1;

	pair = (struct pair){.mechanism = m, .options = options, .slots = -1, .size = options->size, .stream = options->pattern == STREAM,
		.capacity_wanted = options->capacity, .capacity = -1, .ends = {{-1, -1}, {-1, -1}}};
	if (options->capacity && !m->has_capacity)
		usage("--capacity: %s has none", m->name);
	if ((options->pages != PAGES_NORMAL || options->slots) && !m->has_ring)
		usage("--pages and --slots: %s has no ring of messages", m->name);
	if (options->spin_ns && !m->has_spin)
		usage("--spin: %s does not spin for a bounded time", m->name);
	if (most >= 0 && (int64_t)options->size > most)
		fail(EXIT_REFUSED, m->name, EMSGSIZE, m->max_size_limit, "a message of %zu bytes; the limit is %lld", options->size,
			(long long)most);
	if (getrandom(&pair.token, sizeof pair.token, 0) != sizeof pair.token)
		refused("getrandom", NULL);
	if (!private)
		guard_start(&pair);
	m->open(&pair);
	return pair;
}

int run(const struct options *options)
{
	struct supervision s = {.options = options, .shared = share()};
	bool private;
	struct pair pair;

	mechanism_find(options->mechanism);
	private = namespace_enter(options);
	watch_signals(&s);
	pair = open_pair(options, private);
	s.deadline_ns = now_ns() + (int64_t)(3 * options->seconds + PATIENCE_SECONDS) * PATIENCE_NS + 4 * options->gap_ns;
	start(&s, &pair, options);
	supervise(&s);
	guard_finish();
	if (s.looks < LOOKS)
		fail(EXIT_INTERNAL, "wait", 0, NULL, "the sides ended without a result");
	report_block(&(struct block){options, &pair, s.shared, pair.capacity, private, {s.machine[0], s.machine[1]}, s.own_ns[1] - s.own_ns[0]});
	return EXIT_DONE;
}
