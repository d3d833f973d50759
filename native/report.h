#pragma once

#include <stdbool.h>

#include "histogram.h"
#include "machine.h"
#include "shared.h"

struct block {
	const struct options *options;
	const struct pair *pair;
	const struct shared *shared;
	int64_t capacity;
	bool private_namespace;
	struct machine machine[2];
	int64_t own_ns; // CPU time of our own processes between the two looks at the machine
};

// The member "latency": null where nothing was recorded.
void report_latency(const struct histogram *h, const char *kind);
const char *report_role(const struct options *options, int side);
void report_block(const struct block *block);
