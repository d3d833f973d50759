/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sums of durations: how many, how long, and how they are spread: eight slots for each power of two of nanoseconds. */
#pragma once

#include "kernel.h"

enum { PARTS = 8, SLOTS = 40 * PARTS };

struct sum {
	u64 count, ns, asleep_ns, most_ns;
	char comm[16];
	u32 slots[SLOTS];
};

/* Too large for the stack. */
static const struct sum nothing = {};

static inline u32 slot_of(u64 ns)
{
	u32 power = 0, slot;

	if (ns < PARTS)
		return (u32)ns;
	for (int shift = 32; shift; shift >>= 1) {
		if (ns >> power >> shift)
			power += shift;
	}
	slot = (power - 2) * PARTS + (u32)((ns >> (power - 3)) & (PARTS - 1));
	return slot < SLOTS ? slot : SLOTS - 1;
}

static inline void add(struct sum *sum, u64 ns)
{
	u32 slot = slot_of(ns);

	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->ns, ns);
	if (ns > sum->most_ns)
		sum->most_ns = ns;
	asm volatile("" : "+r"(slot)); /* or the bounds check is optimised away, and the verifier misses it */
	if (slot < SLOTS)
		__sync_fetch_and_add(&sum->slots[slot], 1);
}
