#include "machine.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "processor.h"

enum { IDLE_STATES = 10 };

// The kernel adds to a state's time when the state is left: so appear on every vCPU once, and it is left.
static void leave_idle_states(void)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof allowed, &allowed))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof one, &one);
	}
	sched_setaffinity(0, sizeof allowed, &allowed);
}

static bool is_poll(int cpu, int state)
{
	char path[96], name[16] = "";
	FILE *file;

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpuidle/state%d/name", cpu, state);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%15s", name) != 1)
		name[0] = 0;
	fclose(file);
	return !strcmp(name, "POLL");
}

static int64_t poll_ns(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int64_t total = -1;
	char path[96];

	for (int cpu = 0; cpu < cpus; cpu++) {
		for (int state = 0; state < IDLE_STATES; state++) {
			if (!is_poll(cpu, state))
				continue;
			snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpuidle/state%d/time", cpu, state);
			total = (total < 0 ? 0 : total) + read_number(path, 0) * 1000;
			break;
		}
	}
	return total;
}

// What all tasks ran, by the scheduler's own clock. The seventh figure of each vCPU's line.
static int64_t ran_by_schedstat(void)
{
	FILE *file = fopen("/proc/schedstat", "re");
	int64_t total = -1, ran;
	char line[512];

	if (!file)
		return -1;
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "cpu%*d %*s %*s %*s %*s %*s %*s %" SCNd64, &ran) == 1)
			total = (total < 0 ? 0 : total) + ran;
	fclose(file);
	return total;
}

static int64_t ran_by_cgroup(int64_t by_ticks)
{
	static const char *const paths[] = {"/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage"};

	for (int i = 0; i < 2; i++) {
		int64_t ran = read_number(paths[i], -1);

		if (ran > by_ticks / 2) // in a container it is the container's alone, which is far less than the machine's
			return ran;
	}
	return -1;
}

// Ticks count by whatever runs when one comes, and so miss who sleeps and wakes in step with them; what idleness leaves
// of the time counts the way into and out of it, too, a third of a vCPU in a ping-pong. So both come second.
static void times(struct machine *m)
{
	static int tells = -1; // CPUID leaves the guest, 256 times: asked once, before anything is measured
	int64_t user, nice, system, irq, softirq, steal, ticks, tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/stat", "re");
	int n;

	if (tells < 0)
		tells = processor_tells_steal();
	m->busy_ns = m->steal_ns = -1;
	if (!file)
		return;
	n = fscanf(file, "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %*s %*s %" SCNd64 " %" SCNd64 " %" SCNd64, &user, &nice, &system,
		&irq, &softirq, &steal);
	fclose(file);
	if (n != 6)
		return;
	ticks = (user + nice + system + irq + softirq) * tick_ns;
	m->busy_ns = ran_by_schedstat();
	if (m->busy_ns < 0)
		m->busy_ns = ran_by_cgroup(ticks);
	if (m->busy_ns < 0)
		m->busy_ns = ticks;
	if (tells)
		m->steal_ns = steal * tick_ns;
}

struct machine machine_read(void)
{
	struct machine m;

	times(&m);
	leave_idle_states();
	m.poll_ns = poll_ns();
	m.wall_ns = now_ns();
	return m;
}
