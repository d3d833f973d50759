// A pair of connected Unix stream sockets without a name.
#include <sys/socket.h>

#include "../channel.h"
#include "../nonblocking.h"

static void open_socketpair(struct pair *pair)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		refused("socketpair", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	for (int i = 0; i < 2; i++) {
		channel_socket_capacity(pair, fd[i]);
		pair->ends[i].in = pair->ends[i].out = fd[i];
	}
}

const struct mechanism unix_stream_mechanism = {
	.name = "unix-stream",
	.summary = "Unix stream sockets made by socketpair",
	.manual = "unix(7)",
	.has_capacity = true,
	.open = open_socketpair,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = channel_receive,
	.ways = &byte_stream_ways,
	.pollable = true,
	.nonblocking = &descriptor_nonblocking,
};
