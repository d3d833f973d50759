#include "options.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

int64_t option_whole(const char *name, const char *text, int64_t least, int64_t most)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	// strtoll takes leading blanks and a plus sign; a number that a program wrote has neither
	if ((*text != '-' && (*text < '0' || *text > '9')) || *end || errno)
		usage("%s: '%s' is not a whole number", name, text);
	if (value < least || value > most)
		usage("%s: %s lies outside %lld to %lld", name, text, (long long)least, (long long)most);
	return value;
}

double option_real(const char *name, const char *text, double least, double most)
{
	char *end;
	double value;

	if (!*text || strspn(text, "0123456789.eE+-") != strlen(text) || *text == '+')
		usage("%s: '%s' is not a number", name, text); // keeps out inf, nan and hexadecimal
	errno = 0;
	value = strtod(text, &end);
	if (end == text || *end || errno || !isfinite(value))
		usage("%s: '%s' is not a number", name, text);
	if (value < least || value > most)
		usage("%s: %s lies outside %g to %g", name, text, least, most);
	return value;
}

static int choice(const char *name, const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	usage("%s: '%s' is not known", name, text);
}

static int one_cpu(const char *text)
{
	cpu_set_t allowed;
	int cpu = (int)option_whole("--cpus", text, -1, CPU_SETSIZE - 1);

	if (cpu < 0)
		return cpu;
	if (sched_getaffinity(0, sizeof allowed, &allowed))
		refused("sched_getaffinity", NULL);
	if (!CPU_ISSET(cpu, &allowed))
		usage("--cpus: vCPU %d does not exist or is not allowed here", cpu);
	return cpu;
}

void option_cpus(const char *text, int cpus[2])
{
	char copy[32];
	char *comma;

	if (strlen(text) >= sizeof copy)
		usage("--cpus: '%s' is not A,B", text);
	strcpy(copy, text);
	comma = strchr(copy, ',');
	if (!comma)
		usage("--cpus: '%s' is not A,B", text);
	*comma = 0;
	cpus[0] = one_cpu(copy);
	cpus[1] = one_cpu(comma + 1);
}

static uint64_t seed(const char *text)
{
	return (uint64_t)option_whole("--seed", text, 0, INT64_MAX);
}

static void take(struct options *o, const char *name, const char *value)
{
	if (!strcmp(name, "--mechanism"))
		o->mechanism = value;
	else if (!strcmp(name, "--pattern"))
		o->pattern = choice(name, value, (const char *const[]){"ping-pong", "stream", NULL});
	else if (!strcmp(name, "--size"))
		o->size = (size_t)option_whole(name, value, 1, MESSAGE_MAX);
	else if (!strcmp(name, "--cpus"))
		option_cpus(value, o->cpus);
	else if (!strcmp(name, "--seconds"))
		o->seconds = option_real(name, value, 0.001, 3600);
	else if (!strcmp(name, "--rate"))
		o->rate = option_real(name, value, 0, 1e8);
	else if (!strcmp(name, "--gap"))
		o->gap_ns = option_whole(name, value, 0, 10000000000);
	else if (!strcmp(name, "--work"))
		o->work_ns = option_whole(name, value, 0, 1000000000);
	else if (!strcmp(name, "--seed"))
		o->seed = seed(value);
	else if (!strcmp(name, "--capacity"))
		o->capacity = option_whole(name, value, 0, 1 << 30);
	else if (!strcmp(name, "--policy"))
		o->policy = choice(name, value, (const char *const[]){"other", "batch", "fifo", NULL});
	else if (!strcmp(name, "--ipc-namespace"))
		o->ipc_namespace =
			choice(name, value, (const char *const[]){"private", "present", NULL}) ? IPC_PRESENT : IPC_PRIVATE_ONLY;
	else if (strcmp(name, "--sysctl"))
		usage("'%s' is not an option of run", name);
	else if (o->sysctl_count == SYSCTLS_MAX)
		usage("--sysctl: more than %d", SYSCTLS_MAX);
	else
		o->sysctls[o->sysctl_count++] = value;
}

static void check(const struct options *o)
{
	if (!o->mechanism)
		usage("--mechanism is missing");
	if (o->work_ns && o->pattern == STREAM)
		usage("--work goes with a ping-pong");
	if (o->gap_ns && (o->rate > 0 || o->pattern == STREAM))
		usage("--gap goes with a ping-pong without --rate");
	if (o->sysctl_count && o->ipc_namespace == IPC_PRESENT)
		usage("--sysctl sets values in the private IPC namespace only");
}

struct options options_parse(int argc, char **argv)
{
	struct options o = {.size = 64, .cpus = {-1, -1}, .seconds = 0.3, .seed = 1};

	for (int i = 0; i < argc; i += 2) {
		if (i + 1 == argc)
			usage("'%s' needs a value, or is not an option of run", argv[i]);
		take(&o, argv[i], argv[i + 1]);
	}
	check(&o);
	return o;
}
