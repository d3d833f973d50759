// A count in shared memory that only grows, on which others sleep until it has grown enough.
#pragma once

#include <linux/futex.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void gate_raise(_Atomic uint32_t *count)
{
	atomic_fetch_add(count, 1);
	syscall(SYS_futex, count, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

// A wait that ends early, by a signal or because the count has changed meanwhile, looks again.
static inline void gate_await(_Atomic uint32_t *count, uint32_t least)
{
	uint32_t now;

	while ((now = atomic_load(count)) < least)
		syscall(SYS_futex, count, FUTEX_WAIT, now, NULL, NULL, 0);
}
