// What mechanisms over descriptors share: whole messages over byte streams.
#pragma once

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "error.h"
#include "mechanism.h"

_Noreturn void channel_broken(const char *call, ssize_t result);
void channel_send(struct channel *channel, char *message, size_t size); // for the table; same as send_all
void channel_receive(struct channel *channel, char *message, size_t size);
void channel_close_end(struct pair *pair, int side);
void channel_socket_capacity(struct pair *pair, int fd); // sets and reads back both buffers of one socket
extern const struct ways byte_stream_ways;
// What is set for a connection that is made while it is measured, where buffers of a size were asked for.
void channel_connection_capacity(const struct pair *pair, int fd, struct side_counts *counts);
int channel_accept(const struct pair *pair, int listener, struct side_counts *counts);
int64_t read_number(const char *path, int64_t otherwise);

// write(2) takes what fits: the rest goes in further calls.
static inline void send_all(struct channel *channel, const char *message, size_t size)
{
	while (size) {
		ssize_t n = write(channel->out, message, size);

		channel->counts->syscalls++;
		if (__builtin_expect(n <= 0, 0)) {
			if (n < 0 && errno == EINTR)
				continue;
			channel_broken("write", n);
		}
		message += n;
		size -= (size_t)n;
	}
}

static inline void receive_all(struct channel *channel, char *message, size_t size)
{
	while (size) {
		ssize_t n = read(channel->in, message, size);

		channel->counts->syscalls++;
		if (__builtin_expect(n <= 0, 0)) {
			if (n < 0 && errno == EINTR)
				continue;
			channel_broken("read", n);
		}
		message += n;
		size -= (size_t)n;
	}
}
