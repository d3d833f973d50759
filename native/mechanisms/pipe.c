// One pipe for each direction.
#include <fcntl.h>
#include <limits.h>

#include "../channel.h"
#include "../nonblocking.h"
#include "pipe.h"

void pipe_capacity(struct pair *pair, int fd)
{
	int value;

	if (pair->capacity_wanted && fcntl(fd, F_SETPIPE_SZ, (int)pair->capacity_wanted) < 0) {
		// EPERM also for a user whose pipes hold too many pages already, below the largest capacity.
		int64_t largest = read_number("/proc/sys/fs/pipe-max-size", INT64_MAX);

		refused("fcntl(F_SETPIPE_SZ)",
			errno != EPERM || (int64_t)pair->capacity_wanted > largest ? "fs.pipe-max-size" : "fs.pipe-user-pages-soft");
	}
	value = fcntl(fd, F_GETPIPE_SZ);
	pair->capacity = value;
}

static void open_pipe(struct pair *pair)
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		refused("pipe2", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	pipe_capacity(pair, back[1]);
	pipe_capacity(pair, there[1]);
	pair->ends[0].in = back[0];
	pair->ends[0].out = there[1];
	pair->ends[1].in = there[0];
	pair->ends[1].out = back[1];
}

const struct mechanism pipe_mechanism = {
	.name = "pipe",
	.summary = "a pipe for each direction",
	.manual = "pipe(7)",
	.has_capacity = true,
	.open = open_pipe,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = channel_receive,
	.ways = &byte_stream_ways,
	.pollable = true,
	.shared_most = PIPE_BUF,
	.nonblocking = &descriptor_nonblocking,
};
