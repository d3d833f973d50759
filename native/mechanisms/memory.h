// Memory that both sides share: a memfd or a System V segment, with the pages that were asked for.
#pragma once

#include "../mechanism.h"
#include "../options.h"

enum memory_kind { MEMORY_MEMFD, MEMORY_SEGMENT };

struct memory {
	void *start;
	size_t bytes;
	enum pages wanted;
	const char *pages; // what was got, in the words of the result
};

// `number` tells the pieces of one pair apart. Ends the process where the machine refuses.
struct memory memory_open(const struct pair *pair, enum memory_kind kind, int number, size_t bytes);
// In each side: neither page tables of shared memory nor locks come through a fork.
void memory_ready(const struct memory *memory);
void memory_remove(const struct pair *pair); // segments whose maker died before they were marked
