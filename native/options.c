#include "options.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

const char *const wait_names[WAITS + 1] = {"block", "retry", "poll", "epoll", NULL};
const char *const pattern_names[PATTERNS + 1] = {"ping-pong", "stream", "burst", "fan-in", "fan-out", "connect"};

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

enum { PART_BYTES = 32 };

// What stands before the comma goes into `first`; what comes after it is returned.
static const char *split(const char *name, const char *text, char first[PART_BYTES])
{
	const char *comma = strchr(text, ',');

	if (!comma || comma - text >= PART_BYTES)
		usage("%s: '%s' is not A,B", name, text);
	memcpy(first, text, (size_t)(comma - text));
	first[comma - text] = 0;
	return comma + 1;
}

void option_cpus(const char *text, int cpus[2])
{
	char first[PART_BYTES];
	const char *second = split("--cpus", text, first);

	cpus[0] = one_cpu(first);
	cpus[1] = one_cpu(second);
}

static int64_t one_work(const char *text)
{
	return option_whole("--work", text, 0, 1000000000);
}

// One number alone is the answerer's, as a server's work is what one thinks of first.
static void both_works(const char *text, int64_t work_ns[2])
{
	char first[PART_BYTES];

	work_ns[1] = one_work(strchr(text, ',') ? split("--work", text, first) : text);
	work_ns[0] = strchr(text, ',') ? one_work(first) : 0;
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
		o->pattern = choice(name, value, pattern_names);
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
		both_works(value, o->work_ns);
	else if (!strcmp(name, "--burst"))
		o->burst = (int)option_whole(name, value, 1, BURST_MAX);
	else if (!strcmp(name, "--peers"))
		o->peers = (int)option_whole(name, value, 2, PEERS_MAX);
	else if (!strcmp(name, "--seed"))
		o->seed = seed(value);
	else if (!strcmp(name, "--capacity"))
		o->capacity = option_whole(name, value, 0, 1 << 30);
	else if (!strcmp(name, "--pages"))
		o->pages = choice(name, value, (const char *const[]){"normal", "prefault", "mlock", "huge", NULL});
	else if (!strcmp(name, "--slots"))
		o->slots = option_whole(name, value, 1, SLOTS_MAX);
	else if (!strcmp(name, "--spin"))
		o->spin_ns = option_whole(name, value, 1, 1000000000);
	else if (!strcmp(name, "--wait"))
		o->wait = choice(name, value, wait_names);
	else if (!strcmp(name, "--write-size"))
		o->write_size = (size_t)option_whole(name, value, 0, MESSAGE_MAX);
	else if (!strcmp(name, "--batch"))
		o->batch = (size_t)option_whole(name, value, 1, BATCH_MAX);
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

// A ring counts messages in 32 bits: with a power of two a slot's number survives their wrap.
static void check_slots(const struct options *o)
{
	if (o->slots & (o->slots - 1))
		usage("--slots: %lld is not a power of two", (long long)o->slots);
	if (o->slots && o->pattern != STREAM)
		usage("--slots goes with a stream");
	if (o->slots * (int64_t)o->size > RING_MAX)
		usage("--slots: %lld of %zu bytes are more than %d MiB", (long long)o->slots, o->size, RING_MAX >> 20);
}

static void check_batch(const struct options *o)
{
	if (o->work_ns[0] || o->work_ns[1])
		usage("--batch and --work: a batch comes at once");
	if (o->pattern != STREAM)
		usage("--batch goes with a stream");
	if (o->write_size)
		usage("--batch hands all over in one call, --write-size in several");
	if (o->batch * o->size > MESSAGE_MAX)
		usage("--batch: %zu messages of %zu bytes are more than %d in one call", o->batch, o->size, MESSAGE_MAX);
}

// How a side sends and waits is told for the patterns that have one other side, and nothing else to wait for.
static void check_ways(const struct options *o)
{
	bool told = o->wait != WAIT_BLOCK || o->write_size || o->noerror;

	if (told && o->pattern != PING_PONG && o->pattern != STREAM)
		usage("--wait, --write-size and --noerror go with a ping-pong or a stream");
	if (o->batch > 1)
		check_batch(o);
	if (o->wait == WAIT_RETRY && o->policy == POLICY_FIFO)
		usage("--wait retry never sleeps: under --policy fifo nothing else would get the vCPU");
}

static void check_counts(const struct options *o)
{
	if (!o->burst != (o->pattern != BURST))
		usage("--burst N and --pattern burst go together");
	if (!o->peers != !is_fan(o->pattern))
		usage("--peers N and --pattern fan-in or fan-out go together");
	if (o->rate > 0 && o->pattern == BURST)
		usage("--rate: one burst follows the other");
	if (o->rate > 0 && o->pattern == FAN_OUT && o->size < WHOLE_NUMBER)
		usage("--rate: a fan-out needs %d bytes to tell which message came, and so when it was due", WHOLE_NUMBER);
}

static void check(const struct options *o)
{
	if (!o->mechanism)
		usage("--mechanism is missing");
	if (o->gap_ns && (o->rate > 0 || one_way(o->pattern)))
		usage("--gap goes with a ping-pong or connect without --rate");
	check_counts(o);
	check_slots(o);
	check_ways(o);
	if (o->sysctl_count && o->ipc_namespace == IPC_PRESENT)
		usage("--sysctl sets values in the private IPC namespace only");
}

struct options options_parse(int argc, char **argv)
{
	struct options o = {.size = 64, .cpus = {-1, -1}, .seconds = 0.3, .seed = 1, .batch = 1};

	for (int i = 0; i < argc; i += 2) {
		if (!strcmp(argv[i], "--noerror")) {
			o.noerror = true;
			i--; // takes no value
			continue;
		}
		if (i + 1 == argc)
			usage("'%s' needs a value, or is not an option of run", argv[i]);
		take(&o, argv[i], argv[i + 1]);
	}
	check(&o);
	return o;
}
