// A pipe into which the pages of a memfd go as they are; read(2) copies them out.
#include "zero_copy.h"

static void open_pipes(struct pair *pair)
{
	pipe_mechanism.open(pair);
	lent_open(pair, lent_for_pipe(pair), true);
	try_call("splice", splice(pair->lent[0]->memfd, NULL, pair->ends[0].out, NULL, 0, 0));
}

static MEASURED void send_pages(struct channel *channel, char *message, size_t size)
{
	off64_t at = message - channel->lent->first;

	while (size)
		size -= moved(channel, "splice", splice(channel->lent->memfd, &at, channel->out, NULL, size, 0));
}

const struct mechanism splice_mechanism = {
	.name = "splice",
	.summary = "a pipe that takes the pages of a memfd without a copy; read copies them out",
	.manual = "splice(2)",
	.has_capacity = true,
	.open = open_pipes,
	.close_end = channel_close_end,
	.send = send_pages,
	.receive = channel_receive,
};
