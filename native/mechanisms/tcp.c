// A TCP connection over loopback, on a port that the kernel chooses, without Nagle's delay.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../channel.h"

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		refused("socket", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	return fd;
}

static void no_delay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
		refused("setsockopt", NULL);
}

// Anyone on this machine can connect to the port before we do: take the connection that is ours.
static int accept_ours(int listener, int client)
{
	struct sockaddr_in ours, peer;

	for (;;) {
		socklen_t length = sizeof ours, peer_length = sizeof peer;
		int fd = accept4(listener, (struct sockaddr *)&peer, &peer_length, SOCK_CLOEXEC);

		if (fd < 0)
			refused("accept4", NULL);
		if (!getsockname(client, (struct sockaddr *)&ours, &length) && ours.sin_port == peer.sin_port)
			return fd;
		close(fd);
	}
}

static void open_tcp(struct pair *pair)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	int listener = open_socket(), fd[2] = {open_socket(), -1};

	if (pair->capacity_wanted) // before the handshake, which fixes the window's scale
		channel_socket_capacity(pair, listener);
	channel_socket_capacity(pair, fd[0]);
	if (bind(listener, (struct sockaddr *)&at, length))
		refused("bind", NULL);
	if (listen(listener, 16))
		refused("listen", NULL);
	if (getsockname(listener, (struct sockaddr *)&at, &length))
		refused("getsockname", NULL);
	if (connect(fd[0], (struct sockaddr *)&at, length))
		refused("connect", errno == EADDRNOTAVAIL ? "net.ipv4.ip_local_port_range" : NULL);
	fd[1] = accept_ours(listener, fd[0]);
	close(listener);
	for (int i = 0; i < 2; i++) {
		no_delay(fd[i]);
		pair->ends[i].in = pair->ends[i].out = fd[i];
	}
}

const struct mechanism tcp_mechanism = {
	.name = "tcp",
	.summary = "TCP over loopback with TCP_NODELAY",
	.manual = "tcp(7)",
	.has_capacity = true,
	.open = open_tcp,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = channel_receive,
	.ways = &byte_stream_ways,
};
