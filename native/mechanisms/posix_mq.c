// POSIX message queues, one for each direction. Their names go as soon as they are open; the queues go with their
// last descriptor.
#include <inttypes.h>
#include <mqueue.h>
#include <stdio.h>

#include "../nonblocking.h"
#include "../waiting.h"

static void name(char text[48], const struct pair *pair, int direction)
{
	snprintf(text, 48, "/ipctune-%016" PRIx64 "-%d", pair->token, direction);
}

static int64_t max_size(void)
{
	return read_number("/proc/sys/fs/mqueue/msgsize_max", -1);
}

static const char *limit_behind(int number, const struct mq_attr *attributes)
{
	switch (number) {
	case EINVAL:
		return attributes->mq_msgsize > max_size() ? "fs.mqueue.msgsize_max" : "fs.mqueue.msg_max";
	case EMFILE:
		return "RLIMIT_MSGQUEUE";
	case ENFILE:
	case ENOSPC:
		return "fs.mqueue.queues_max";
	default:
		return NULL;
	}
}

static int open_queue(struct pair *pair, int direction, struct mq_attr *attributes)
{
	char text[48];
	int fd;

	name(text, pair, direction);
	fd = mq_open(text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, attributes);
	if (fd < 0)
		refused("mq_open", limit_behind(errno, attributes));
	mq_unlink(text);
	return fd;
}

static void open_queues(struct pair *pair)
{
	struct mq_attr attributes = {
		.mq_maxmsg = read_number("/proc/sys/fs/mqueue/msg_default", 10),
		.mq_msgsize = (long)pair->size,
	};

	if (pair->capacity_wanted)
		attributes.mq_maxmsg = pair->capacity_wanted / (int64_t)pair->size;
	if (!attributes.mq_maxmsg)
		usage("--capacity: %lld bytes hold no message of %zu", (long long)pair->capacity_wanted, pair->size);
	pair->ends[0].out = pair->ends[1].in = open_queue(pair, 0, &attributes);
	if (!pair->stream)
		pair->ends[1].out = pair->ends[0].in = open_queue(pair, 1, &attributes);
	pair->capacity = attributes.mq_maxmsg * attributes.mq_msgsize;
}

static void remove_queues(const struct pair *pair)
{
	char text[48];

	for (int i = 0; i < 2; i++) {
		name(text, pair, i);
		mq_unlink(text);
	}
}

static MEASURED void send_message(struct channel *channel, char *message, size_t size)
{
	for (;;) {
		channel->counts->syscalls++;
		if (!mq_send(channel->out, message, size, 0))
			return;
		if (errno != EINTR)
			channel_broken("mq_send", -1);
	}
}

static void check_size(ssize_t came, size_t size)
{
	if ((size_t)came != size)
		fail(EXIT_INTERNAL, "mq_receive", 0, NULL, "%zd bytes came instead of %zu", came, size);
}

static MEASURED void receive_message(struct channel *channel, char *message, size_t size)
{
	ssize_t n;

	do {
		channel->counts->syscalls++;
		n = mq_receive(channel->in, message, size, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		channel_broken("mq_receive", n);
	check_size(n, size);
}

// Nothing stands for success: a size does for whoever asks again.
static ssize_t send_once(struct channel *channel, char *message, size_t size)
{
	return mq_send(channel->out, message, size, 0) ? -1 : (ssize_t)size;
}

static ssize_t receive_once(struct channel *channel, char *message, size_t size)
{
	return mq_receive(channel->in, message, size, NULL);
}

static void try_send(struct channel *channel, char *message, size_t size)
{
	waiting_send(channel, message, size, send_once, "mq_send");
}

static void try_receive(struct channel *channel, char *message, size_t size)
{
	check_size(waiting_receive(channel, message, size, receive_once, "mq_receive"), size);
}

// On Linux an mqd_t is a descriptor, which poll and epoll take.
static const struct ways ways = {
	.waits = WAITS_ALL,
	.unblock = nonblocking_begin,
	.try_send = try_send,
	.try_receive = try_receive,
};
// Both sides have the same open queues, and neither waits in a burst.
static void begin(struct channel *channel)
{
	struct mq_attr attributes = {.mq_flags = O_NONBLOCK};

	if (mq_setattr(channel->side == 0 ? channel->out : channel->in, &attributes, NULL))
		refused("mq_setattr", NULL);
}

static int send_now(struct channel *channel, char *message, size_t size, size_t *done)
{
	channel->counts->syscalls++;
	if (mq_send(channel->out, message, size, 0)) {
		if (errno != EAGAIN)
			channel_broken("mq_send", -1);
		return errno;
	}
	*done = size;
	return 0;
}

static int receive_now(struct channel *channel, char *message, size_t size, size_t *done)
{
	ssize_t n;

	channel->counts->syscalls++;
	n = mq_receive(channel->in, message, size, NULL);
	if (n < 0) {
		if (errno != EAGAIN)
			channel_broken("mq_receive", n);
		return errno;
	}
	*done = (size_t)n;
	return 0;
}

static const struct nonblocking nonblocking = {.begin = begin, .send = send_now, .receive = receive_now};

const struct mechanism posix_mq_mechanism = {
	.name = "posix-mq",
	.summary = "POSIX message queues",
	.manual = "mq_overview(7)",
	.has_capacity = true,
	.max_size = max_size,
	.max_size_limit = "fs.mqueue.msgsize_max",
	.open = open_queues,
	.remove = remove_queues,
	.send = send_message,
	.receive = receive_message,
	.ways = &ways,
	.shared_most = SIZE_MAX,
	.nonblocking = &nonblocking,
};
