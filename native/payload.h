// What is sent: a number that changes with each message, then bytes drawn from the seed.
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A buffer of `size` bytes with BUFFER_HEADROOM before it, on a cache line of its own, every page touched.
char *payload_buffer(size_t size);
char *payload_filled(size_t size, uint64_t seed);

// Room for a short message among the variables of a measured loop, in a page that is touched anyway.
enum { PAYLOAD_NEAR = 256 };
struct payload_room {
	_Alignas(64) char bytes[64 + PAYLOAD_NEAR];
};

char *payload_in(struct payload_room *room, size_t size); // there where it fits, else a buffer of its own; all zero
void payload_fill(char *message, size_t size, uint64_t seed);

static inline void payload_number(char *message, size_t size, uint64_t number)
{
	number = htole64(number); // the bytes that change come first, so that a short message has them
	memcpy(message, &number, size < sizeof number ? size : sizeof number);
}
