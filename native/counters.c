#include "counters.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "mechanism.h"

int64_t counters_cpu_ns(pid_t pid)
{
	clockid_t id;
	struct timespec t;

	if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &t))
		return -1;
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	return true;
}

static int64_t member(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

// The name in parentheses may hold anything, so count from its end. Fields 10 and 12 of proc(5)'s list.
static void faults(const char *stat, struct counters *c)
{
	const char *after = strrchr(stat, ')');

	if (!after || sscanf(after, ") %*c %*s %*s %*s %*s %*s %*s %" SCNd64 " %*s %" SCNd64, &c->minor_faults, &c->major_faults) != 2)
		c->minor_faults = c->major_faults = -1;
}

static void of_another(pid_t pid, struct counters *c)
{
	char text[4096];

	if (read_proc(pid, "status", text, sizeof text)) {
		c->voluntary_switches = member(text, "\nvoluntary_ctxt_switches:");
		c->involuntary_switches = member(text, "\nnonvoluntary_ctxt_switches:");
	}
	if (read_proc(pid, "stat", text, sizeof text))
		faults(text, c);
}

static void of_myself(struct counters *c)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	c->voluntary_switches = usage.ru_nvcsw;
	c->involuntary_switches = usage.ru_nivcsw;
	c->minor_faults = usage.ru_minflt;
	c->major_faults = usage.ru_majflt;
}

struct counters counters_read(pid_t pid, const struct side_counts *counts)
{
	struct counters c = {.voluntary_switches = -1, .involuntary_switches = -1, .minor_faults = -1, .major_faults = -1,
		.run_delay_ns = -1, .syscalls = counts->syscalls, .blocked = counts->blocked,
		.completions = counts->completions, .copied = counts->copied};
	char text[128];

	if (pid == getpid())
		of_myself(&c);
	else
		of_another(pid, &c);
	if (read_proc(pid, "schedstat", text, sizeof text) && sscanf(text, "%*s %" SCNd64, &c.run_delay_ns) != 1)
		c.run_delay_ns = -1;
	c.cpu_ns = counters_cpu_ns(pid);
	return c;
}

static void add(int64_t *sum, int64_t more)
{
	*sum = *sum < 0 || more < 0 ? -1 : *sum + more;
}

void counters_add(struct counters *sum, const struct counters *more)
{
	add(&sum->cpu_ns, more->cpu_ns);
	add(&sum->voluntary_switches, more->voluntary_switches);
	add(&sum->involuntary_switches, more->involuntary_switches);
	add(&sum->minor_faults, more->minor_faults);
	add(&sum->major_faults, more->major_faults);
	add(&sum->run_delay_ns, more->run_delay_ns);
	sum->syscalls += more->syscalls;
	sum->blocked += more->blocked;
}
