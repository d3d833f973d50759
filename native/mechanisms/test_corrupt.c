// A pipe that flips one bit of one message: it must never be measured. It is there only where
// IPCTUNE_TEST_MECHANISMS is set; the number in it says which message that side 1 receives is hit (1: the first).
#include <limits.h>
#include <stdlib.h>

#include "../channel.h"
#include "../nonblocking.h"

static uint64_t which;

static void open_corrupt(struct pair *pair)
{
	const char *text = getenv("IPCTUNE_TEST_MECHANISMS");

	which = text ? strtoull(text, NULL, 10) : 1;
	pipe_mechanism.open(pair);
}

// At one side alone: two flips of the same bit would undo each other.
static void corrupt(struct channel *channel, char *message, size_t size)
{
	if (channel->side == 1 && ++channel->received == which)
		message[which * 2654435761u % size] ^= (char)(1u << which % 8);
}

static void receive_corrupt(struct channel *channel, char *message, size_t size)
{
	receive_all(channel, message, size);
	corrupt(channel, message, size);
}

static int receive_some(struct channel *channel, char *message, size_t size, size_t *done)
{
	int why = nonblocking_receive(channel, message, size, done);

	if (!why)
		corrupt(channel, message, size);
	return why;
}

static const struct nonblocking nonblocking = {.polled = true, .begin = nonblocking_begin, .send = nonblocking_send, .receive = receive_some};

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
	.pollable = true,
	.shared_most = PIPE_BUF,
	.nonblocking = &nonblocking,
};
