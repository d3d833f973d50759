// A Unix stream connection through a listening socket with an abstract name: nothing in a file system, so nothing stays.
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../channel.h"
#include "../nonblocking.h"

static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		refused("socket", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	return fd;
}

static socklen_t name(struct sockaddr_un *at, uint64_t token)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	int length = snprintf(at->sun_path + 1, sizeof at->sun_path - 1, "ipctune-%016" PRIx64, token);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

// An abstract name is open to everyone in the network namespace: a stranger who connects is not our other side.
static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) && peer.pid == getpid() && peer.uid == geteuid();
}

static int accept_ours(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			refused("accept4", NULL);
		if (is_ours(fd))
			return fd;
		close(fd);
	}
}

static void open_abstract(struct pair *pair)
{
	struct sockaddr_un at;
	socklen_t length = name(&at, pair->token);
	int listener = open_socket(), fd[2] = {open_socket(), -1};

	if (bind(listener, (struct sockaddr *)&at, length))
		refused("bind", NULL);
	if (listen(listener, 16))
		refused("listen", NULL);
	channel_socket_capacity(pair, fd[0]);
	if (connect(fd[0], (struct sockaddr *)&at, length))
		refused("connect", NULL);
	if (!is_ours(fd[0]))
		fail(EXIT_REFUSED, "connect", EPERM, NULL, "the abstract socket belongs to another process");
	fd[1] = accept_ours(listener);
	close(listener);
	channel_socket_capacity(pair, fd[1]);
	for (int i = 0; i < 2; i++)
		pair->ends[i].in = pair->ends[i].out = fd[i];
}

static int listen_abstract(struct pair *pair)
{
	struct sockaddr_un at;
	socklen_t length = name(&at, pair->token);
	int fd = open_socket();

	channel_socket_capacity(pair, fd); // to be told what each connection will have: it inherits nothing
	if (bind(fd, (struct sockaddr *)&at, length))
		refused("bind", NULL);
	if (listen(fd, SOMAXCONN))
		refused("listen", NULL);
	return fd;
}

// Nobody else can have the name: it was bound before the fork and holds a random number.
static int connect_abstract(const struct pair *pair, struct side_counts *counts)
{
	struct sockaddr_un at;
	socklen_t length = name(&at, pair->token);
	int fd = open_socket();

	channel_connection_capacity(pair, fd, counts);
	if (connect(fd, (struct sockaddr *)&at, length))
		refused("connect", NULL);
	counts->syscalls += 2;
	return fd;
}

static const struct connections connections = {
	.listen = listen_abstract,
	.connect = connect_abstract,
	.accept = channel_accept,
};

const struct mechanism unix_abstract_mechanism = {
	.name = "unix-abstract",
	.summary = "Unix stream sockets connected through an abstract name",
	.manual = "unix(7)",
	.has_capacity = true,
	.open = open_abstract,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = channel_receive,
	.pollable = true,
	.nonblocking = &descriptor_nonblocking,
	.connections = &connections,
};
