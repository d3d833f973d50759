// What pipes and stream sockets have beside blocking calls for a message each.
#include <string.h>

#include "nonblocking.h"
#include "waiting.h"

static ssize_t write_some(struct channel *channel, char *message, size_t size)
{
	return write(channel->out, message, size);
}

static ssize_t read_some(struct channel *channel, char *message, size_t size)
{
	return read(channel->in, message, size);
}

static void try_send(struct channel *channel, char *message, size_t size)
{
	size_t most = channel->options->write_size ? channel->options->write_size : size;

	while (size) {
		ssize_t n = waiting_send(channel, message, size < most ? size : most, write_some, "write");

		message += n;
		size -= (size_t)n;
	}
}

static void try_receive(struct channel *channel, char *message, size_t size)
{
	while (size) {
		ssize_t n = waiting_receive(channel, message, size, read_some, "read");

		message += n;
		size -= (size_t)n;
	}
}

static void send_pieces(struct channel *channel, char *message, size_t size)
{
	size_t most = channel->options->write_size;

	for (; size > most; size -= most, message += most)
		send_all(channel, message, most);
	send_all(channel, message, size);
}

// A short write leaves a rest: it goes in further ones.
static void send_batch(struct channel *channel, char *messages, size_t size, size_t count)
{
	try_send(channel, messages, size * count);
}

// A read ends where it likes: what has come of the next message is kept for the next call.
static size_t receive_batch(struct channel *channel, char *messages, size_t size, size_t most)
{
	size_t have = channel->begun;

	memmove(messages, messages + channel->whole, have);
	do
		have += (size_t)waiting_receive(channel, messages + have, most * size - have, read_some, "read");
	while (have < size);
	channel->begun = have % size;
	channel->whole = have - channel->begun;
	return have / size;
}

const struct ways byte_stream_ways = {
	.waits = WAITS_ALL,
	.unblock = nonblocking_begin,
	.try_send = try_send,
	.try_receive = try_receive,
	.send_pieces = send_pieces,
	.send_batch = send_batch,
	.receive_batch = receive_batch,
};
