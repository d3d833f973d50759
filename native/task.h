// A short piece of work in one or two processes of its own, each on its vCPU: whatever becomes of them, whoever asked
// for it goes on in bounded time, and they have ended.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

enum { TASK_SIDES = 2 };

struct task {
	const char *name; // said where a process of it was killed
	void (*sides[TASK_SIDES])(void *shared); // the second may be NULL
	int cpus[TASK_SIDES];
	void *shared; // in memory that stays shared over a fork
	struct error_note *note; // as well
	int64_t patience_ns;
};

// False: they took too long and were ended. Where one failed or was killed, this process says so and exits.
bool task_run(const struct task *task);
