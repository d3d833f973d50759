// What `limits` is made of; each part is run as a task, and leaves its figures in the shared struct. A limit is the
// least of some short repeats: whatever else runs can only add. A wake is a median: it is no limit, but what to expect.
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { LIMITS_SIZES = 64, LIMITS_WAKES = 2 };

// ns; NAN: could not be measured here, or not in time. Shared by the processes of a task.
struct limits {
	struct error_note note;
	double syscall_ns, clock_ns;
	double cache_line_ns, context_switch_ns;
	double page_fault_ns, memfd_fault_ns;
	struct {
		int64_t idle_ns;
		double ns;
	} wakes[LIMITS_WAKES];
	int size_count;
	size_t sizes[LIMITS_SIZES];
	double copy_ns[LIMITS_SIZES];
	int events[2]; // eventfds: to wake the driver, to wake the one that answers
	_Atomic int stop;
	_Atomic int64_t sent_ns, took_ns;
	_Alignas(128) _Atomic uint32_t ball; // alone on its line
	_Alignas(128) char end[128];
};

// Sides of tasks; what they are given is a struct limits.
void limits_calls(void *shared);
void limits_line_driver(void *shared);
void limits_line_answerer(void *shared);
void limits_switch_driver(void *shared);
void limits_switch_answerer(void *shared);
void limits_waker(void *shared);
void limits_sleeper(void *shared);
void limits_faults(void *shared);
void limits_copies(void *shared);
