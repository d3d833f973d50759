// What a process has cost so far. Read from outside it, too: so the driving side reads both sides at the same moments,
// and the other side's loop knows nothing of it.
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct side_counts;

struct counters {
	int64_t cpu_ns;
	int64_t voluntary_switches, involuntary_switches, minor_faults, major_faults; // -1: not known
	int64_t run_delay_ns; // waited for a vCPU although able to run; -1: the kernel does not tell
	uint64_t syscalls, blocked, completions, copied;
};

int64_t counters_cpu_ns(pid_t pid); // -1: no such process
void counters_add(struct counters *sum, const struct counters *more);
struct counters counters_read(pid_t pid, const struct side_counts *counts);
