#include "arrivals.h"

#include <math.h>

// splitmix64: spreads a seed, also a small one, over all bits.
static uint64_t spread(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void random_seed(uint64_t state[2], uint64_t seed)
{
	state[0] = spread(&seed);
	state[1] = spread(&seed);
	if (!state[0] && !state[1])
		state[0] = 1; // the one state that the generator can't leave
}

// xorshift128+
uint64_t random_next(uint64_t state[2])
{
	uint64_t x = state[0], y = state[1];

	state[0] = y;
	x ^= x << 23;
	state[1] = x ^ y ^ (x >> 17) ^ (y >> 26);
	return state[1] + y;
}

static double exponential(struct arrivals *a)
{
	double uniform = ((double)(random_next(a->state) >> 11) + 0.5) * 0x1p-53; // never 0

	return -log(uniform) * a->mean_ns;
}

void arrivals_begin(struct arrivals *a, double rate, uint64_t seed, int64_t start_ns, int64_t until_ns)
{
	double middle = (double)(until_ns - start_ns) / 2;

	random_seed(a->state, seed);
	a->mean_ns = 1e9 / rate;
	a->start_ns = start_ns;
	a->until_ns = until_ns;
	a->next_ns = exponential(a);
	if (a->next_ns >= 2 * middle)
		a->next_ns = middle;
}

int64_t arrivals_peek(const struct arrivals *a)
{
	double most = 4e18; // a very low rate must not overflow the clock

	return a->next_ns < most ? a->start_ns + (int64_t)a->next_ns : INT64_MAX;
}

void arrivals_advance(struct arrivals *a)
{
	a->next_ns += exponential(a);
}
