// The kernel copies from a memfd of the sender into slots of one that both have; a byte in a pipe tells that it is there,
// and pread(2) copies it out. In a stream the bytes of the pipe back say how many slots are free again; in a ping-pong
// the reply does.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "zero_copy.h"

enum { STREAM_BYTES = 1 << 20, SLOTS_LEAST = 2, SLOTS_MOST = 1024 };

struct copies {
	int to, from;
	size_t stride, slots;
	uint64_t sent, received;
	size_t room; // slots that may be written to
	size_t there; // messages that were told of and not yet taken
	size_t owed; // slots that are free again and not yet told of
	bool stream;
};

static size_t slots(const struct pair *pair)
{
	size_t n = STREAM_BYTES / lent_stride(pair->size);

	if (!pair->stream)
		return 1;
	return n < SLOTS_LEAST ? SLOTS_LEAST : n > SLOTS_MOST ? SLOTS_MOST : n;
}

static struct copies *copies(const struct pair *pair, int to, int from)
{
	struct copies *own = calloc(1, sizeof *own);

	if (!own)
		refused("calloc", NULL);
	*own = (struct copies){.to = to, .from = from, .stride = lent_stride(pair->size), .slots = slots(pair),
		.room = slots(pair), .stream = pair->stream};
	return own;
}

// Some kernels copy between files of one file system alone, some sandboxes not at all.
static void try_copy(int from, int to)
{
	if (copy_file_range(from, &(off64_t){0}, to, &(off64_t){0}, 1, 0) != 1)
		fail(EXIT_REFUSED, "copy_file_range", errno, NULL, "copy_file_range from one memfd to another: %s", strerror(errno));
}

static void open_files(struct pair *pair)
{
	size_t bytes = slots(pair) * lent_stride(pair->size);
	int fd[2];

	pipe_mechanism.open(pair);
	pair->capacity = -1;
	lent_open(pair, 1, true); // copied when the call returns, so one buffer will do
	for (int i = 0; i < 2; i++)
		fd[i] = lent_memfd(pair->stream && i ? 1 : bytes); // nothing comes back in a stream
	for (int i = 0; i < 2; i++)
		pair->own[i] = copies(pair, fd[i], fd[1 - i]);
	try_copy(pair->lent[0]->memfd, fd[0]);
}

// The other side may have gone by itself after its last message: it needs no room then. Whoever waits for it sees the end.
static void tell(struct channel *channel, size_t count)
{
	static const char bytes[SLOTS_MOST];
	ssize_t n;

	do {
		n = write(channel->out, bytes, count);
		channel->counts->syscalls++;
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EPIPE)
		channel_broken("write", n);
}

static size_t await_told(struct channel *channel)
{
	char bytes[SLOTS_MOST];

	return moved(channel, "read", read(channel->in, bytes, sizeof bytes));
}

static void take_slot(struct channel *channel, struct copies *own)
{
	if (!own->stream)
		return;
	while (!own->room)
		own->room = await_told(channel);
	own->room--;
}

static MEASURED void send_copy(struct channel *channel, char *message, size_t size)
{
	struct copies *own = channel->own;
	off64_t from = message - channel->lent->first, to = (off64_t)(own->sent++ % own->slots * own->stride);

	take_slot(channel, own);
	while (size)
		size -= moved(channel, "copy_file_range", copy_file_range(channel->lent->memfd, &from, own->to, &to, size, 0));
	tell(channel, 1);
}

static void give_back_slot(struct channel *channel, struct copies *own)
{
	if (!own->stream || ++own->owed * 2 < own->slots)
		return;
	tell(channel, own->owed);
	own->owed = 0;
}

static MEASURED void receive_copy(struct channel *channel, char *message, size_t size)
{
	struct copies *own = channel->own;
	off_t at = (off_t)(own->received++ % own->slots * own->stride);

	while (!own->there)
		own->there = await_told(channel);
	own->there--;
	while (size) {
		size_t n = moved(channel, "pread", pread(own->from, message, size, at));

		message += n;
		at += (off_t)n;
		size -= n;
	}
	give_back_slot(channel, own);
}

const struct mechanism copy_file_range_mechanism = {
	.name = "copy-file-range",
	.summary = "a memfd that the kernel copies to another, told by a byte in a pipe; pread copies it out",
	.manual = "copy_file_range(2)",
	.open = open_files,
	.close_end = channel_close_end,
	.send = send_copy,
	.receive = receive_copy,
};
