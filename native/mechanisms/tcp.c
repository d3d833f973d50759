// A TCP connection over loopback, on a port that the kernel chooses, without Nagle's delay.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../channel.h"
#include "../nonblocking.h"

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

static struct sockaddr_in listening; // before the fork, so that both sides know the port

static int listen_tcp(struct pair *pair)
{
	socklen_t length = sizeof listening;
	int fd = open_socket();

	listening = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	channel_socket_capacity(pair, fd); // before the handshake, which fixes the window's scale
	no_delay(fd); // which accepted connections inherit
	if (bind(fd, (struct sockaddr *)&listening, length))
		refused("bind", NULL);
	if (listen(fd, SOMAXCONN))
		refused("listen", NULL);
	if (getsockname(fd, (struct sockaddr *)&listening, &length))
		refused("getsockname", NULL);
	return fd;
}

// The side that closes first keeps the connection in TIME_WAIT for a minute. A client that did so would be through its
// ports (ip_local_port_range, some 28,000) within a second here, and then gets EADDRNOTAVAIL, or where the kernel lends
// such ports again on loopback (tcp_tw_reuse 2) looks long for one. Here the server closes first, as web servers do, and
// the client, which has its whole reply, resets what is left: nobody waits, and no port is used up. A real client closes in
// order and pays for it: in a run of seconds p50 rose by 8 % and p999 to 4 ms, which is the search for a free port.
static void close_without_time_wait(int fd)
{
	struct linger none = {.l_onoff = 1, .l_linger = 0};

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none))
		refused("setsockopt", NULL);
}

static int connect_tcp(const struct pair *pair, struct side_counts *counts)
{
	int fd = open_socket();

	channel_connection_capacity(pair, fd, counts);
	no_delay(fd);
	close_without_time_wait(fd);
	if (connect(fd, (struct sockaddr *)&listening, sizeof listening))
		refused("connect", errno == EADDRNOTAVAIL ? "net.ipv4.ip_local_port_range" : NULL);
	counts->syscalls += 4;
	return fd;
}

static const struct connections connections = {
	.listen = listen_tcp,
	.connect = connect_tcp,
	.accept = channel_accept,
};

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
	.pollable = true,
	.nonblocking = &descriptor_nonblocking,
	.connections = &connections,
};
