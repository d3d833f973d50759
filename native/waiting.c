#include "waiting.h"

#include <poll.h>
#include <sys/epoll.h>

static void at_once(struct channel *channel)
{
	(void)channel;
}

// That the other side has gone counts as well: the next call tells how.
static void poll_for(struct channel *channel, int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};
	int n;

	do {
		channel->counts->syscalls++;
		n = poll(&one, 1, -1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		channel_broken("poll", n);
}

static void poll_readable(struct channel *channel)
{
	poll_for(channel, channel->in, POLLIN);
}

static void poll_writable(struct channel *channel)
{
	poll_for(channel, channel->out, POLLOUT);
}

static void epoll_for(struct channel *channel, int epoll)
{
	struct epoll_event event;
	int n;

	do {
		channel->counts->syscalls++;
		n = epoll_wait(epoll, &event, 1, -1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		channel_broken("epoll_wait", n);
}

static void epoll_readable(struct channel *channel)
{
	epoll_for(channel, channel->epoll_in);
}

static void epoll_writable(struct channel *channel)
{
	epoll_for(channel, channel->epoll_out);
}

static const struct waiting all[WAITS] = {
	[WAIT_BLOCK] = {at_once, at_once},
	[WAIT_RETRY] = {at_once, at_once},
	[WAIT_POLL] = {poll_readable, poll_writable},
	[WAIT_EPOLL] = {epoll_readable, epoll_writable},
};

// One for each direction, so that nothing has to be registered anew between a send and a receive.
static int epoll_on(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};
	int epoll;

	if (fd < 0)
		return -1;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		refused("epoll_create1", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		refused("epoll_ctl", errno == ENOSPC ? "fs.epoll.max_user_watches" : NULL);
	return epoll;
}

void waiting_begin(struct channel *channel, const struct mechanism *mechanism)
{
	enum wait wait = channel->options->wait;

	channel->waiting = &all[wait];
	if (wait != WAIT_BLOCK && mechanism->ways->unblock)
		mechanism->ways->unblock(channel);
	if (wait != WAIT_EPOLL)
		return;
	channel->epoll_in = epoll_on(channel->in, EPOLLIN);
	channel->epoll_out = epoll_on(channel->out, EPOLLOUT);
}
