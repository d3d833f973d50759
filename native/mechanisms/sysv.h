// Keys of System V objects. They follow from the pair's token, so whoever clears up knows them before they exist.
#pragma once

#include <sys/ipc.h>

#include "../mechanism.h"

static inline key_t sysv_key(const struct pair *pair, int number)
{
	return (key_t)((pair->token & 0x3ffffffe) + 2 + (uint64_t)number); // never IPC_PRIVATE
}
