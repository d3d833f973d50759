// A spin on one vCPU that looks at the clock all the time: whatever is missing, someone else had. That is steal where
// the hypervisor counts none, but also interrupts and other processes of this machine.
#include "jitter.h"

#include <sched.h>

#include "clock.h"
#include "json.h"

enum { SPIN_NS = 50000000, GAP_NS = 5000 };

struct gaps {
	int64_t count, longest_ns, total_ns, spun_ns;
};

static struct gaps spin(void)
{
	int64_t start = now_ns(), last = start, now;
	struct gaps g = {0};

	do {
		now = now_ns();
		if (now - last > GAP_NS) {
			g.count++;
			g.total_ns += now - last;
			if (now - last > g.longest_ns)
				g.longest_ns = now - last;
		}
		last = now;
	} while (now - start < SPIN_NS);
	g.spun_ns = now - start;
	return g;
}

void jitter_print(void)
{
	cpu_set_t before, here;
	int cpu = sched_getcpu(), pinned = 0;
	struct gaps g;

	CPU_ZERO(&here);
	if (cpu >= 0)
		CPU_SET(cpu, &here);
	// Pinned, so that no gap is a move to another vCPU. Where that is refused the gaps count all the same.
	if (!sched_getaffinity(0, sizeof before, &before) && cpu >= 0)
		pinned = !sched_setaffinity(0, sizeof here, &here);
	g = spin();
	if (pinned)
		sched_setaffinity(0, sizeof before, &before);
	json_open("jitter", '{');
	json_real("seconds", (double)g.spun_ns / 1e9);
	json_integer("gaps", g.count);
	json_real("longest_us", (double)g.longest_ns / 1e3);
	json_real("lost_percent", 100.0 * (double)g.total_ns / (double)g.spun_ns);
	json_integer("threshold_ns", GAP_NS);
	json_integer("max_ns", g.longest_ns);
	json_integer("total_ns", g.total_ns);
	json_close('}');
}
