// Buffers for the ways that hand over the sender's own pages: a message must not change before it has been read. So each
// is written into the next of a row of buffers, one more than the way can hold unread.
#pragma once

#include "mechanism.h"

struct lent {
	char *first;
	size_t stride; // a message lies in as few pages as it can
	size_t count, next;
	int memfd; // whose pages the buffers are; -1: anonymous memory
};

size_t lent_stride(size_t size);
int lent_memfd(size_t bytes);
// A row for each side that sends. `memfd`: the buffers lie in a file.
void lent_open(struct pair *pair, size_t count, bool memfd);
// How many the pipes of this pair take: what they hold in a stream; in a ping-pong the reply says that all was read.
size_t lent_for_pipe(const struct pair *pair);
// Writes the payload into each buffer, so that only the number is left to be written. `lent` may be NULL.
void lent_fill(const struct lent *lent, const char *payload, size_t size);

// Where the next message is to be written: the pattern's own buffer, unless the mechanism lends one.
static inline char *lend(struct lent *lent, char *own)
{
	char *buffer;

	if (!lent)
		return own;
	buffer = lent->first + lent->next * lent->stride;
	lent->next = lent->next + 1 == lent->count ? 0 : lent->next + 1;
	return buffer;
}
