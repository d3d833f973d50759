// A Unix stream connection through a listening socket with an abstract name: nothing in a file system, so nothing stays.
#include <inttypes.h>
#include <stdio.h>

#include "../nonblocking.h"
#include "unix_named.h"

static socklen_t name(struct sockaddr_un *at, uint64_t token)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	int length = snprintf(at->sun_path + 1, sizeof at->sun_path - 1, "ipctune-%016" PRIx64, token);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static void open_abstract(struct pair *pair)
{
	struct sockaddr_un at;
	socklen_t length = name(&at, pair->token);

	unix_named_open(pair, &at, length);
}

static int listen_abstract(struct pair *pair)
{
	struct sockaddr_un at;
	socklen_t length = name(&at, pair->token);

	return unix_named_listen(pair, &at, length);
}

// Nobody else can have the name: it was bound before the fork and holds a random number.
static int connect_abstract(const struct pair *pair, struct side_counts *counts)
{
	struct sockaddr_un at;
	socklen_t length = name(&at, pair->token);

	return unix_named_connect(pair, &at, length, counts);
}

static const struct connections connections = {
	.listen = listen_abstract,
	.connect = connect_abstract,
	.accept = channel_accept,
};

const struct mechanism unix_abstract_mechanism = {
	.name = "unix-abstract",
	.summary = "Unix stream sockets connected through an abstract name",
	.manual = "unix(7)",
	.has_capacity = true,
	.open = open_abstract,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = channel_receive,
	.ways = &byte_stream_ways,
	.pollable = true,
	.nonblocking = &descriptor_nonblocking,
	.connections = &connections,
};
