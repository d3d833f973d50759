#include "histogram.h"

#include <string.h>

#include "json.h"

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof *h);
	h->min = UINT64_MAX;
}

void histogram_add(struct histogram *h, const struct histogram *more)
{
	h->count += more->count;
	h->sum += more->sum;
	h->min = more->min < h->min ? more->min : h->min;
	h->max = more->max > h->max ? more->max : h->max;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->buckets[i] += more->buckets[i];
}

uint64_t histogram_width(unsigned index)
{
	return index < 2 * HISTOGRAM_SUB ? 1 : 1ull << ((index >> HISTOGRAM_BITS) - 1);
}

uint64_t histogram_lowest(unsigned index)
{
	unsigned shift;

	if (index < 2 * HISTOGRAM_SUB)
		return index;
	shift = (index >> HISTOGRAM_BITS) - 1;
	return (uint64_t)(HISTOGRAM_SUB + index % HISTOGRAM_SUB) << shift;
}

// Values are taken as spread evenly over their bucket: steps of a bucket's width would hide small differences.
static double inside(unsigned index, double rank, uint64_t before, uint64_t here)
{
	double width = (double)histogram_width(index);

	if (width == 1)
		return (double)histogram_lowest(index);
	return (double)histogram_lowest(index) + width * (rank - (double)before) / (double)here;
}

double histogram_quantile(const struct histogram *h, double share)
{
	double rank = share * (double)h->count, value = (double)h->max;
	uint64_t before = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h->buckets[i] && (double)(before + h->buckets[i]) >= rank) {
			value = inside(i, rank, before, h->buckets[i]);
			break;
		}
		before += h->buckets[i];
	}
	if (value < (double)h->min)
		return (double)h->min;
	return value > (double)h->max ? (double)h->max : value;
}

void histogram_print(const struct histogram *h)
{
	json_open("buckets", '[');
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		json_open(NULL, '[');
		json_unsigned(NULL, histogram_lowest(i));
		json_unsigned(NULL, h->buckets[i]);
		json_close(']');
	}
	json_close(']');
}
