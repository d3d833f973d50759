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

_Static_assert(sizeof(struct payload_room) == BUFFER_HEADROOM + PAYLOAD_NEAR, "room for the headroom as well");

char *payload_in(struct payload_room *room, size_t size)
{
	if (size > PAYLOAD_NEAR)
		return payload_buffer(size);
	memset(room->bytes, 0, sizeof room->bytes);
	return room->bytes + BUFFER_HEADROOM;
}

void payload_fill(char *message, size_t size, uint64_t seed)
{
	uint64_t state[2];

	random_seed(state, seed);
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word = random_next(state);

		memcpy(message + i, &word, size - i < sizeof word ? size - i : sizeof word);
	}
}

char *payload_filled(size_t size, uint64_t seed)
{
	char *message = payload_buffer(size);

	payload_fill(message, size, seed);
	return message;
}
