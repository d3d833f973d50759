#include "datagram.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "../nonblocking.h"

enum { OVERHEAD = 32 }; // what unix_dgram_sendmsg() in the kernel's net/unix/af_unix.c keeps of the buffer

// MSG_TRUNC has the kernel tell how long a message was that did not fit.
static void check_size(ssize_t came, size_t size)
{
	if ((size_t)came != size)
		fail(EXIT_INTERNAL, "recv", 0, NULL, "%zd bytes came instead of %zu", came, size);
}

MEASURED void datagram_send(struct channel *channel, char *message, size_t size)
{
	for (;;) {
		channel->counts->syscalls++;
		if (send(channel->out, message, size, 0) >= 0)
			return;
		if (errno != EINTR)
			channel_broken("send", -1);
	}
}

MEASURED void datagram_receive(struct channel *channel, char *message, size_t size)
{
	ssize_t n;

	do {
		channel->counts->syscalls++;
		n = recv(channel->in, message, size, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		channel_broken("recv", n);
	check_size(n, size);
}

static ssize_t send_once(struct channel *channel, char *message, size_t size)
{
	return send(channel->out, message, size, 0);
}

static ssize_t receive_once(struct channel *channel, char *message, size_t size)
{
	return recv(channel->in, message, size, MSG_TRUNC);
}

static void try_send(struct channel *channel, char *message, size_t size)
{
	waiting_send(channel, message, size, send_once, "send");
}

static void try_receive(struct channel *channel, char *message, size_t size)
{
	check_size(waiting_receive(channel, message, size, receive_once, "recv"), size);
}

// The headers of a side's batches: its buffer is the same each time, so they are written once.
static struct mmsghdr *headers(char *messages, size_t size)
{
	static struct mmsghdr all[BATCH_MAX];
	static struct iovec parts[BATCH_MAX];

	if (parts[0].iov_base == messages)
		return all;
	for (size_t i = 0; i < BATCH_MAX; i++) {
		parts[i] = (struct iovec){messages + i * size, size};
		all[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	return all;
}

// `size` stands for how many messages here, and so does what they return.
static ssize_t send_several(struct channel *channel, char *first, size_t count)
{
	return sendmmsg(channel->out, (struct mmsghdr *)(void *)first, (unsigned)count, 0);
}

static ssize_t receive_several(struct channel *channel, char *first, size_t count)
{
	return recvmmsg(channel->in, (struct mmsghdr *)(void *)first, (unsigned)count, MSG_WAITFORONE | MSG_TRUNC, NULL);
}

static void send_batch(struct channel *channel, char *messages, size_t size, size_t count)
{
	struct mmsghdr *next = headers(messages, size);

	while (count) {
		ssize_t n = waiting_send(channel, (char *)next, count, send_several, "sendmmsg");

		next += n;
		count -= (size_t)n;
	}
}

static size_t receive_batch(struct channel *channel, char *messages, size_t size, size_t most)
{
	struct mmsghdr *all = headers(messages, size);
	ssize_t n = waiting_receive(channel, (char *)all, most, receive_several, "recvmmsg");

	for (ssize_t i = 0; i < n; i++) {
		if (!all[i].msg_len) // a connection that has ended gives nothing, again and again
			channel_broken("recvmmsg", 0);
		check_size(all[i].msg_len, size);
	}
	return (size_t)n;
}

const struct ways datagram_ways = {
	.waits = WAITS_ALL,
	.unblock = nonblocking_begin,
	.try_send = try_send,
	.try_receive = try_receive,
	.send_batch = send_batch,
	.receive_batch = receive_batch,
};

int64_t datagram_max_size(void)
{
	int64_t buffer = read_number("/proc/sys/net/core/wmem_default", -1);

	return buffer < 0 ? -1 : buffer - OVERHEAD;
}

// What fits depends on the buffer, and beyond some MiB on the kernel's memory as well: so one message goes first.
static void probe(const struct pair *pair, int from, int to)
{
	char *message = calloc(1, pair->size);

	if (!message)
		refused("calloc", NULL);
	if (send(from, message, pair->size, MSG_DONTWAIT) < 0)
		refused("send", errno != EMSGSIZE ? NULL : pair->capacity_wanted ? "net.core.wmem_max" : "net.core.wmem_default");
	if (recv(to, message, pair->size, MSG_DONTWAIT) != (ssize_t)pair->size)
		fail(EXIT_INTERNAL, "recv", errno, NULL, "a first message of %zu bytes did not come whole", pair->size);
	free(message);
}

void datagram_open_pair(struct pair *pair, int type)
{
	int fd[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd))
		refused("socketpair", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	for (int i = 0; i < 2; i++) {
		channel_socket_capacity(pair, fd[i]);
		pair->ends[i].in = pair->ends[i].out = fd[i];
	}
	probe(pair, fd[0], fd[1]);
}
