// Any other mechanism (a pipe, or the one that IPCTUNE_TEST_CORRUPTS names) with one bit of one message flipped: it must
// never be measured. It is there only where IPCTUNE_TEST_MECHANISMS is set; the number in it says which message that
// side 1 receives is hit (1: the first).
#include <limits.h>
#include <stdlib.h>

#include "../channel.h"
#include "../nonblocking.h"

// Looked up where it is needed: the guard has to know it before open().
static const struct mechanism *real(void)
{
	const char *name = getenv("IPCTUNE_TEST_CORRUPTS");

	return mechanism_named(name ? name : "pipe");
}

static const struct mechanism *under;
static uint64_t which;

static void open_corrupt(struct pair *pair)
{
	const char *text = getenv("IPCTUNE_TEST_MECHANISMS");

	which = text ? strtoull(text, NULL, 10) : 1;
	under = real();
	under->open(pair);
}

static void close_corrupt(struct pair *pair, int side)
{
	if (under->close_end)
		under->close_end(pair, side);
}

static void attach_corrupt(struct channel *channel)
{
	if (under->attach)
		under->attach(channel);
}

static void remove_corrupt(const struct pair *pair)
{
	if (real()->remove)
		real()->remove(pair);
}

static MEASURED void send_corrupt(struct channel *channel, char *message, size_t size)
{
	under->send(channel, message, size);
}

// At one side alone: two flips of the same bit would undo each other.
static void corrupt(struct channel *channel, char *message, size_t size)
{
	if (channel->side == 1 && ++channel->received == which)
		message[which * 2654435761u % size] ^= (char)(1u << which % 8);
}

static MEASURED void receive_corrupt(struct channel *channel, char *message, size_t size)
{
	under->receive(channel, message, size);
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
	.summary = "another mechanism with one bit flipped, for tests of the payload check",
	.manual = "pipe(7)",
	.has_capacity = true,
	.test_only = true,
	.open = open_corrupt,
	.close_end = close_corrupt,
	.attach = attach_corrupt,
	.remove = remove_corrupt,
	.send = send_corrupt,
	.receive = receive_corrupt,
	.pollable = true,
	.shared_most = PIPE_BUF,
	.nonblocking = &nonblocking,
};
