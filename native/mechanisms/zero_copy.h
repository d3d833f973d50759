// What the ways share that move pages rather than bytes.
#pragma once

#include <fcntl.h>
#include <sys/uio.h>

#include "../channel.h"
#include "../lend.h"

// How much a call moved; 0: a signal came first. Anything else ends this side.
static inline size_t moved(struct channel *channel, const char *call, ssize_t n)
{
	channel->counts->syscalls++;
	if (__builtin_expect(n > 0, 1))
		return (size_t)n;
	if (n < 0 && errno == EINTR)
		return 0;
	channel_broken(call, n);
}

// A call about nothing, made before the sides start: a kernel or a seccomp filter without it is a refusal.
static inline void try_call(const char *call, ssize_t n)
{
	if (n < 0)
		refused(call, NULL);
}

// Into the pipe goes the page, not what is on it: it must not change until it has been read.
static inline size_t put_pages(struct channel *channel, int pipe, char *message, size_t size)
{
	struct iovec pages = {message, size};

	return moved(channel, "vmsplice", vmsplice(pipe, &pages, 1, 0));
}
