#include "payload.h"

#include <errno.h>
#include <stdlib.h>

#include "arrivals.h"
#include "error.h"
#include "mechanism.h"

char *payload_buffer(size_t size)
{
	char *start = NULL;
	int number = posix_memalign((void **)&start, BUFFER_HEADROOM, BUFFER_HEADROOM + size);

	if (number)
		fail(EXIT_REFUSED, "posix_memalign", number, NULL, "no memory for a message of %zu bytes", size);
	memset(start, 0, BUFFER_HEADROOM + size);
	return start + BUFFER_HEADROOM;
}

char *payload_filled(size_t size, uint64_t seed)
{
	char *message = payload_buffer(size);
	uint64_t state[2];

	random_seed(state, seed);
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word = random_next(state);

		memcpy(message + i, &word, size - i < sizeof word ? size - i : sizeof word);
	}
	return message;
}
