// A pair of connected Unix datagram sockets without a name. They keep boundaries, and lose nothing: a sender waits.
#include <sys/socket.h>

#include "../nonblocking.h"
#include "datagram.h"

static void open_socketpair(struct pair *pair)
{
	datagram_open_pair(pair, SOCK_DGRAM);
}

const struct mechanism unix_dgram_mechanism = {
	.name = "unix-dgram",
	.summary = "Unix datagram sockets made by socketpair",
	.manual = "unix(7)",
	.has_capacity = true,
	.size_by_capacity = true,
	.max_size = datagram_max_size,
	.max_size_limit = "net.core.wmem_default",
	.open = open_socketpair,
	.close_end = channel_close_end,
	.send = datagram_send,
	.receive = datagram_receive,
	.ways = &datagram_ways,
	.shared_most = SIZE_MAX,
	.nonblocking = &descriptor_nonblocking,
};
