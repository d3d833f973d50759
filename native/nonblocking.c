#include "nonblocking.h"

#include <fcntl.h>

#include "channel.h"

// EAGAIN is what a full pipe or socket says; ENOBUFS what one says whose device or protocol has no room.
bool nonblocking_full(int number)
{
	return number == EAGAIN || number == ENOBUFS;
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		refused("fcntl", NULL);
}

// The two ends are two open file descriptions, so each side sets its own.
void nonblocking_begin(struct channel *channel)
{
	if (channel->in >= 0)
		set_nonblocking(channel->in);
	if (channel->out >= 0 && channel->out != channel->in)
		set_nonblocking(channel->out);
}

int nonblocking_send(struct channel *channel, char *message, size_t size, size_t *done)
{
	while (*done < size) {
		ssize_t n = write(channel->out, message + *done, size - *done);

		channel->counts->syscalls++;
		if (n < 0 && nonblocking_full(errno))
			return errno;
		if (n <= 0 && !(n < 0 && errno == EINTR))
			channel_broken("write", n);
		*done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int nonblocking_receive(struct channel *channel, char *message, size_t size, size_t *done)
{
	while (*done < size) {
		ssize_t n = read(channel->in, message + *done, size - *done);

		channel->counts->syscalls++;
		if (n < 0 && nonblocking_full(errno))
			return errno;
		if (n <= 0 && !(n < 0 && errno == EINTR))
			channel_broken("read", n);
		*done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

const struct nonblocking descriptor_nonblocking = {
	.polled = true,
	.begin = nonblocking_begin,
	.send = nonblocking_send,
	.receive = nonblocking_receive,
};

const struct nonblocking datagram_nonblocking = {
	.may_lose = true,
	.polled = true,
	.begin = nonblocking_begin,
	.send = nonblocking_send,
	.receive = nonblocking_receive,
};
