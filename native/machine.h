// What all vCPUs together have done so far, beside what is measured.
#pragma once

#include <stdint.h>

struct machine {
	int64_t wall_ns;
	int64_t busy_ns; // of all tasks; in steps of a tick where the kernel tells no better; -1: not known
	int64_t steal_ns; // -1: the hypervisor does not tell
	int64_t poll_ns; // time in the cpuidle state POLL, which the kernel counts as idle; -1: no such state
};

// Visits every vCPU that this process may run on.
struct machine machine_read(void);
