// Ways to wait for the other side, other than in the call that sends or receives.
#pragma once

#include "channel.h"

// Where calls block, there is nothing to do.
struct waiting {
	void (*readable)(struct channel *channel); // before each receive
	void (*writable)(struct channel *channel); // after a send that found no room
};

typedef ssize_t attempt(struct channel *channel, char *message, size_t size);

// For a side, before its first message.
void waiting_begin(struct channel *channel, const struct mechanism *mechanism);

// Bytes received, by as many attempts as it takes. ENOMSG is what msgrcv(2) says for EAGAIN.
static inline ssize_t waiting_receive(struct channel *channel, char *message, size_t size, attempt *once, const char *call)
{
	for (uint64_t first = 1;; ) {
		ssize_t n;

		channel->waiting->readable(channel);
		channel->counts->syscalls++;
		n = once(channel, message, size);
		if (n > 0)
			return n;
		if (n == 0 || (errno != EAGAIN && errno != ENOMSG && errno != EINTR))
			channel_broken(call, n);
		if (errno == EINTR)
			continue;
		channel->counts->blocked += first;
		first = 0;
	}
}

static inline ssize_t waiting_send(struct channel *channel, char *message, size_t size, attempt *once, const char *call)
{
	for (uint64_t first = 1;; ) {
		ssize_t n;

		channel->counts->syscalls++;
		n = once(channel, message, size);
		if (n > 0)
			return n;
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			channel_broken(call, n);
		if (errno == EINTR)
			continue;
		channel->counts->blocked += first;
		first = 0;
		channel->waiting->writable(channel);
	}
}
