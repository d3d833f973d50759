#include "channel.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

_Noreturn void channel_broken(const char *call, ssize_t result)
{
	if (result == 0)
		fail(EXIT_INTERNAL, call, 0, NULL, "the other side has closed");
	fail(EXIT_INTERNAL, call, errno, NULL, "%s: %s", call, strerror(errno));
}

MEASURED void channel_send(struct channel *channel, char *message, size_t size)
{
	send_all(channel, message, size);
}

MEASURED void channel_receive(struct channel *channel, char *message, size_t size)
{
	receive_all(channel, message, size);
}

void channel_close_end(struct pair *pair, int side)
{
	int in = pair->ends[side].in, out = pair->ends[side].out;

	if (in >= 0)
		close(in);
	if (out >= 0 && out != in)
		close(out);
}

// The kernel doubles what it is asked for, for its bookkeeping, and clamps without a word: so read back.
static int buffer(int fd, int option, int64_t wanted, const char *limit)
{
	int value = (int)wanted;
	socklen_t length = sizeof value;

	if (wanted && setsockopt(fd, SOL_SOCKET, option, &value, sizeof value))
		refused("setsockopt", limit);
	if (getsockopt(fd, SOL_SOCKET, option, &value, &length))
		refused("getsockopt", NULL);
	if (value / 2 < wanted)
		fail(EXIT_REFUSED, "setsockopt", EPERM, limit, "a buffer of %lld bytes was asked for, %d were given",
			(long long)wanted, value / 2);
	return value;
}

void channel_socket_capacity(struct pair *pair, int fd)
{
	int64_t send = buffer(fd, SO_SNDBUF, pair->capacity_wanted, "net.core.wmem_max");
	int64_t receive = buffer(fd, SO_RCVBUF, pair->capacity_wanted, "net.core.rmem_max");

	pair->capacity = send + receive;
}

void channel_connection_capacity(const struct pair *pair, int fd, struct side_counts *counts)
{
	struct pair copy = *pair;

	if (!pair->capacity_wanted)
		return;
	channel_socket_capacity(&copy, fd);
	counts->syscalls += 4;
}

int channel_accept(const struct pair *pair, int listener, struct side_counts *counts)
{
	int fd;

	do {
		counts->syscalls++;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		refused("accept4", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	channel_connection_capacity(pair, fd, counts);
	return fd;
}

int64_t read_number(const char *path, int64_t otherwise)
{
	FILE *file = fopen(path, "re");
	long long value;

	if (!file)
		return otherwise;
	if (fscanf(file, "%lld", &value) != 1)
		value = otherwise;
	fclose(file);
	return value;
}
