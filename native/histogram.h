// A log-linear histogram of nanoseconds in fixed memory. A bucket spans at most 1/128 of its lowest value.
#pragma once

#include <stdint.h>

enum {
	HISTOGRAM_BITS = 7, // 128 buckets for each doubling: 0.8 %
	HISTOGRAM_SUB = 1 << HISTOGRAM_BITS,
	HISTOGRAM_OCTAVES = 35, // up to 2^42 ns, more than an hour
	HISTOGRAM_BUCKETS = HISTOGRAM_SUB * (HISTOGRAM_OCTAVES + 1),
};

struct histogram {
	uint64_t count, sum, min, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_index(uint64_t value)
{
	unsigned shift;

	if (value < HISTOGRAM_SUB)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
	if (shift >= HISTOGRAM_OCTAVES)
		return HISTOGRAM_BUCKETS - 1;
	return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

static inline void histogram_record(struct histogram *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	if (value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->buckets[histogram_index(value)]++;
}

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, const struct histogram *more);
uint64_t histogram_lowest(unsigned index); // the least value that falls into this bucket
uint64_t histogram_width(unsigned index);
double histogram_quantile(const struct histogram *h, double share);
void histogram_print(const struct histogram *h); // [[lowest_ns, count], …] as the member "buckets"
