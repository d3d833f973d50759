// Datagrams over loopback, which are dropped where the receiver's buffer is full: what a burst makes of losses. It is
// there only where IPCTUNE_TEST_MECHANISMS is set.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../channel.h"
#include "../nonblocking.h"

static int open_socket(struct sockaddr_in *at)
{
	socklen_t length = sizeof *at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)at, length) || getsockname(fd, (struct sockaddr *)at, &length))
		refused("socket", NULL);
	return fd;
}

static void open_lossy(struct pair *pair)
{
	struct sockaddr_in at[2];
	int fd[2] = {open_socket(&at[0]), open_socket(&at[1])};

	channel_socket_capacity(pair, fd[1]);
	for (int i = 0; i < 2; i++) {
		if (connect(fd[i], (struct sockaddr *)&at[1 - i], sizeof at[0]))
			refused("connect", NULL);
		pair->ends[i].in = pair->ends[i].out = fd[i];
	}
}

const struct mechanism test_lossy_mechanism = {
	.name = "test-lossy",
	.summary = "datagrams over loopback, for tests of what bursts lose",
	.manual = "udp(7)",
	.has_capacity = true,
	.test_only = true,
	.open = open_lossy,
	.close_end = channel_close_end,
	.send = channel_send,
	.receive = channel_receive,
	.nonblocking = &datagram_nonblocking,
};
