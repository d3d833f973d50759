#include "unix_named.h"

static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		refused("socket", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	return fd;
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

int unix_named_listen(struct pair *pair, const struct sockaddr_un *at, socklen_t length)
{
	int fd = open_socket();

	channel_socket_capacity(pair, fd); // to be told what each connection will have: it inherits nothing
	if (bind(fd, (const struct sockaddr *)at, length))
		refused("bind", NULL);
	if (listen(fd, SOMAXCONN))
		refused("listen", NULL);
	return fd;
}

int unix_named_connect(const struct pair *pair, const struct sockaddr_un *at, socklen_t length, struct side_counts *counts)
{
	int fd = open_socket();

	channel_connection_capacity(pair, fd, counts);
	if (connect(fd, (const struct sockaddr *)at, length))
		refused("connect", NULL);
	counts->syscalls += 2;
	return fd;
}

void unix_named_open(struct pair *pair, const struct sockaddr_un *at, socklen_t length)
{
	int listener = open_socket(), fd[2] = {open_socket(), -1};

	if (bind(listener, (const struct sockaddr *)at, length))
		refused("bind", NULL);
	if (listen(listener, 16))
		refused("listen", NULL);
	channel_socket_capacity(pair, fd[0]);
	if (connect(fd[0], (const struct sockaddr *)at, length))
		refused("connect", NULL);
	if (!is_ours(fd[0]))
		fail(EXIT_REFUSED, "connect", EPERM, NULL, "the socket belongs to another process");
	fd[1] = accept_ours(listener);
	close(listener);
	channel_socket_capacity(pair, fd[1]);
	for (int i = 0; i < 2; i++)
		pair->ends[i].in = pair->ends[i].out = fd[i];
}
