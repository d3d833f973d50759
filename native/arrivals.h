// Poisson arrivals from a seed. Both sides draw the same ones, so an intended start need not travel with its message.
#pragma once

#include <stdint.h>

struct arrivals {
	uint64_t state[2];
	double mean_ns;
	double next_ns; // since start_ns
	int64_t start_ns, until_ns;
};

uint64_t random_next(uint64_t state[2]);
void random_seed(uint64_t state[2], uint64_t seed);

// Always yields one arrival before until_ns at least: a block without any message would say nothing.
void arrivals_begin(struct arrivals *a, double rate, uint64_t seed, int64_t start_ns, int64_t until_ns);
int64_t arrivals_peek(const struct arrivals *a); // when the next message is due
void arrivals_advance(struct arrivals *a);
