// A pipe into which the sender's pages go as they are; read(2) copies them out: one copy instead of two.
#include "zero_copy.h"

static void open_pipes(struct pair *pair)
{
	pipe_mechanism.open(pair);
	try_call("vmsplice", vmsplice(pair->ends[0].out, NULL, 0, 0));
	lent_open(pair, lent_for_pipe(pair), false);
}

static MEASURED void send_pages(struct channel *channel, char *message, size_t size)
{
	while (size) {
		size_t n = put_pages(channel, channel->out, message, size);

		message += n;
		size -= n;
	}
}

const struct mechanism vmsplice_mechanism = {
	.name = "vmsplice",
	.summary = "a pipe that takes the sender's pages without a copy; read copies them out",
	.manual = "vmsplice(2)",
	.has_capacity = true,
	.open = open_pipes,
	.close_end = channel_close_end,
	.send = send_pages,
	.receive = channel_receive,
};
