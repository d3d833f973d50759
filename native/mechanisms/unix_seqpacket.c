// A pair of connected Unix sockets that keep boundaries and tell of the other side's end.
#include <sys/socket.h>

#include "../nonblocking.h"
#include "datagram.h"

static void open_socketpair(struct pair *pair)
{
	datagram_open_pair(pair, SOCK_SEQPACKET);
}

const struct mechanism unix_seqpacket_mechanism = {
	.name = "unix-seqpacket",
	.summary = "Unix sockets of sequenced packets made by socketpair",
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
