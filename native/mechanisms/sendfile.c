// A Unix stream socket to which sendfile(2) gives the pages of a memfd as they are; read(2) copies them out.
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "zero_copy.h"

// The kernel counts what lies unread against the send buffer, until one packet of up to 17 pages is beyond it. Before
// Linux 6.5 short messages shared the bookkeeping of a packet, so of that little can be counted on.
enum { PACKET_PAGES = 18, BOOKKEEPING_LEAST = 8 };

static size_t held_most(const struct pair *pair)
{
	size_t packet = PACKET_PAGES * (size_t)sysconf(_SC_PAGESIZE);
	socklen_t length = sizeof(int);
	int bytes;

	if (getsockopt(pair->ends[0].out, SOL_SOCKET, SO_SNDBUF, &bytes, &length))
		refused("getsockopt", NULL);
	return ((size_t)bytes + packet) / (pair->size + BOOKKEEPING_LEAST) + 1;
}

static void open_sockets(struct pair *pair)
{
	unix_stream_mechanism.open(pair);
	lent_open(pair, pair->stream ? held_most(pair) + 1 : 1, true);
	try_call("sendfile", sendfile(pair->ends[0].out, pair->lent[0]->memfd, &(off_t){0}, 0));
}

static MEASURED void send_pages(struct channel *channel, char *message, size_t size)
{
	off_t at = message - channel->lent->first;

	while (size)
		size -= moved(channel, "sendfile", sendfile(channel->out, channel->lent->memfd, &at, size));
}

const struct mechanism sendfile_mechanism = {
	.name = "sendfile",
	.summary = "Unix stream sockets that take the pages of a memfd without a copy; read copies them out",
	.manual = "sendfile(2)",
	.has_capacity = true,
	.open = open_sockets,
	.close_end = channel_close_end,
	.send = send_pages,
	.receive = channel_receive,
};
