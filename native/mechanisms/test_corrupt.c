// A pipe that flips one bit of one message: it must never be measured. It is there only where
// IPCTUNE_TEST_MECHANISMS is set; the number in it says which message that side 1 receives is hit (1: the first).
#include <stdlib.h>

#include "../channel.h"

static uint64_t which;

static void open_corrupt(struct pair *pair)
{
	const char *text = getenv("IPCTUNE_TEST_MECHANISMS");

	which = text ? strtoull(text, NULL, 10) : 1;
	pipe_mechanism.open(pair);
}

// At one side alone: two flips of the same bit would undo each other.
static void receive_corrupt(struct channel *channel, char *message, size_t size)
{
	receive_all(channel, message, size);
	if (channel->side == 1 && ++channel->received == which)
		message[which * 2654435761u % size] ^= (char)(1u << which % 8);
}

const struct mechanism test_corrupt_mechanism = {
	.name = "test-corrupt",
	.summary = "a pipe that flips one bit, for tests of the payload check",
	.manual = "pipe(7)",
	.has_capacity = true,
	.test_only = true,
	.open = open_corrupt,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = receive_corrupt,
};
