// A FIFO for each direction: a pipe that had a name. Theirs lie in a private folder until both ends are open.
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "../channel.h"
#include "../folder.h"
#include "../nonblocking.h"
#include "pipe.h"

static const char *const names[] = {"there", "back", NULL};

static int open_end(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		refused("open", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	return fd;
}

// Without O_NONBLOCK the end for reading would wait for a writer (fifo(7)).
static void open_one(struct pair *pair, int direction)
{
	char path[FOLDER_PATH_BYTES];

	folder_path(path, pair, names[direction]);
	if (mkfifo(path, 0600))
		refused("mkfifo", NULL);
	pair->ends[1 - direction].in = open_end(path, O_RDONLY | O_NONBLOCK);
	pair->ends[direction].out = open_end(path, O_WRONLY);
	if (fcntl(pair->ends[1 - direction].in, F_SETFL, 0))
		refused("fcntl(F_SETFL)", NULL);
	pipe_capacity(pair, pair->ends[direction].out);
}

static void remove_fifos(const struct pair *pair)
{
	folder_remove(pair, names);
}

static void open_fifos(struct pair *pair)
{
	folder_make(pair);
	for (int i = 1; i >= 0; i--)
		open_one(pair, i);
	remove_fifos(pair);
}

const struct mechanism fifo_mechanism = {
	.name = "fifo",
	.summary = "a FIFO (named pipe) for each direction",
	.manual = "fifo(7)",
	.has_capacity = true,
	.in_file_system = true,
	.open = open_fifos,
	.close_end = channel_close_end,
	.remove = remove_fifos,
	.send = channel_send,
	.receive = channel_receive,
	.ways = &byte_stream_ways,
	.pollable = true,
	.shared_most = PIPE_BUF,
	.nonblocking = &descriptor_nonblocking,
};
