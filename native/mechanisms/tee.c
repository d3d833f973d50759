// What a logger beside a consumer does: the sender's pages go into a pipe of its own, tee(2) gives the consumer's pipe a
// share in them, and the sender's share is dropped, into /dev/null. read(2) at the consumer's end is the only copy.
#include <stdlib.h>

#include "zero_copy.h"

struct own_pipe {
	int in, out, null;
};

static struct own_pipe *open_own(void)
{
	struct own_pipe *own = malloc(sizeof *own);
	int fd[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		refused("open", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	if (!own || pipe2(fd, O_CLOEXEC))
		refused("pipe2", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	*own = (struct own_pipe){fd[0], fd[1], null};
	return own;
}

static void open_pipes(struct pair *pair)
{
	struct own_pipe *own;

	pipe_mechanism.open(pair);
	for (int i = 0; i < 2; i++)
		pair->own[i] = open_own();
	own = pair->own[0];
	try_call("vmsplice", vmsplice(own->out, NULL, 0, 0));
	try_call("tee", tee(own->in, pair->ends[0].out, 0, 0));
	try_call("splice", splice(own->in, NULL, own->null, NULL, 0, 0));
	lent_open(pair, lent_for_pipe(pair), false);
}

static void drop(struct channel *channel, const struct own_pipe *own, size_t size)
{
	while (size)
		size -= moved(channel, "splice", splice(own->in, NULL, own->null, NULL, size, 0));
}

static void share(struct channel *channel, const struct own_pipe *own, size_t held)
{
	while (held) {
		size_t n = moved(channel, "tee", tee(own->in, channel->out, held, 0));

		drop(channel, own, n);
		held -= n;
	}
}

// The sender's own pipe is empty each time, so vmsplice never waits.
static MEASURED void send_shared(struct channel *channel, char *message, size_t size)
{
	while (size) {
		size_t held = put_pages(channel, ((struct own_pipe *)channel->own)->out, message, size);

		share(channel, channel->own, held);
		message += held;
		size -= held;
	}
}

const struct mechanism tee_mechanism = {
	.name = "tee",
	.summary = "a pipe that shares the pages of the sender's own pipe without a copy; read copies them out",
	.manual = "tee(2)",
	.has_capacity = true,
	.open = open_pipes,
	.close_end = channel_close_end,
	.send = send_shared,
	.receive = channel_receive,
};
