// The `limits` command: each limit is measured by processes of its own, so that whatever becomes of one is told and
// nothing waits for ever. About half a second.
#include "physical_limits.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "json.h"
#include "limits_parts.h"
#include "options.h"
#include "task.h"

enum { PATIENCE_NS = 1500000000 };

// The first two vCPUs that we may use; twice the same where there is one.
static void choose_cpus(int cpus[2])
{
	cpu_set_t allowed;
	int found = 0;

	if (sched_getaffinity(0, sizeof allowed, &allowed))
		refused("sched_getaffinity", NULL);
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[found++] = cpu;
	if (found < 2)
		cpus[1] = cpus[0];
}

static void take_sizes(struct limits *l, const char *text)
{
	char copy[1024], *rest = copy;

	if (strlen(text) >= sizeof copy)
		usage("--sizes: more than %d", LIMITS_SIZES);
	strcpy(copy, text);
	for (l->size_count = 0; rest; l->size_count++) {
		const char *word = strsep(&rest, ",");

		if (l->size_count == LIMITS_SIZES)
			usage("--sizes: more than %d", LIMITS_SIZES);
		l->sizes[l->size_count] = (size_t)option_whole("--sizes", word, 1, MESSAGE_MAX);
	}
}

static void take_cpus(const char *text, int cpus[2])
{
	option_cpus(text, cpus);
	if (cpus[0] < 0 || cpus[1] < 0)
		usage("--cpus: limits are those of two vCPUs that are named, not of -1");
}

static void parse(int argc, char **argv, struct limits *l, int cpus[2])
{
	for (int i = 0; i < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (i + 1 == argc)
			usage("'%s' needs a value, or is not an option of limits", name);
		if (!strcmp(name, "--cpus"))
			take_cpus(value, cpus);
		else if (!strcmp(name, "--sizes"))
			take_sizes(l, value);
		else
			usage("'%s' is not an option of limits", name);
	}
}

static struct limits *share(void)
{
	struct limits *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (l == MAP_FAILED)
		refused("mmap", NULL);
	l->syscall_ns = l->clock_ns = l->cache_line_ns = l->context_switch_ns = l->page_fault_ns = l->memfd_fault_ns = NAN;
	for (int i = 0; i < LIMITS_SIZES; i++)
		l->copy_ns[i] = NAN;
	for (int i = 0; i < LIMITS_WAKES; i++) {
		l->wakes[i].idle_ns = i ? 10000000 : 1000000;
		l->wakes[i].ns = NAN;
	}
	for (size_t size = 64; size <= MESSAGE_MAX; size *= 4)
		l->sizes[l->size_count++] = size;
	return l;
}

static void alone(struct limits *l, const char *name, void (*side)(void *), int cpu)
{
	task_run(&(struct task){name, {side, NULL}, {cpu, cpu}, l, &l->note, PATIENCE_NS});
}

// Fresh eventfds: what a pair that was given up has left in them would wake the next one.
static void together(struct limits *l, const char *name, void (*driver)(void *), void (*answerer)(void *), int a, int b)
{
	for (int i = 0; i < 2; i++)
		if ((l->events[i] = eventfd(0, EFD_CLOEXEC)) < 0)
			refused("eventfd", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	atomic_store(&l->stop, 0);
	task_run(&(struct task){name, {driver, answerer}, {a, b}, l, &l->note, PATIENCE_NS});
	for (int i = 0; i < 2; i++)
		close(l->events[i]);
}

static void measure(struct limits *l, const int cpus[2])
{
	alone(l, "system call", limits_calls, cpus[0]);
	together(l, "context switch", limits_switch_driver, limits_switch_answerer, cpus[0], cpus[0]);
	if (cpus[0] != cpus[1]) {
		together(l, "cache line", limits_line_driver, limits_line_answerer, cpus[0], cpus[1]);
		together(l, "wake", limits_waker, limits_sleeper, cpus[0], cpus[1]);
	}
	alone(l, "page fault", limits_faults, cpus[0]);
	alone(l, "memcpy", limits_copies, cpus[0]);
}

static void print_pair(int64_t what, double ns)
{
	if (isnan(ns))
		return;
	json_open(NULL, '[');
	json_integer(NULL, what);
	json_real(NULL, ns);
	json_close(']');
}

// Beside others who use all of a vCPU the difference of two times can be anything; what is not above 0 is no cost.
// Infinite: there was no time for one repeat.
static void print_cost(const char *key, double ns)
{
	if (ns > 0 && isfinite(ns))
		json_real(key, ns);
	else
		json_null(key);
}

static void print_wakes(const struct limits *l)
{
	if (isnan(l->wakes[0].ns)) {
		json_null("wake_ns");
		return;
	}
	json_open("wake_ns", '[');
	for (int i = 0; i < LIMITS_WAKES; i++)
		print_pair(l->wakes[i].idle_ns, l->wakes[i].ns);
	json_close(']');
}

static void print(const struct limits *l, const int cpus[2])
{
	json_open(NULL, '{');
	json_open("cpus", '[');
	json_integer(NULL, cpus[0]);
	json_integer(NULL, cpus[1]);
	json_close(']');
	print_cost("syscall_ns", l->syscall_ns);
	print_cost("clock_ns", l->clock_ns);
	print_cost("cache_line_ns", l->cache_line_ns);
	print_cost("context_switch_ns", l->context_switch_ns);
	print_wakes(l);
	print_cost("page_fault_ns", l->page_fault_ns);
	print_cost("memfd_fault_ns", l->memfd_fault_ns);
	json_open("memcpy", '[');
	for (int i = 0; i < l->size_count; i++)
		print_pair((int64_t)l->sizes[i], l->copy_ns[i]);
	json_close(']');
	json_close('}');
	json_end();
}

int limits(int argc, char **argv)
{
	struct limits *l = share();
	int cpus[2];

	choose_cpus(cpus);
	parse(argc, argv, l, cpus);
	measure(l, cpus);
	print(l, cpus);
	return EXIT_DONE;
}
