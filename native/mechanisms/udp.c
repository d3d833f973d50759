// UDP over loopback: two sockets connected to each other, on ports that the kernel chooses. A datagram that finds the
// receive buffer full is lost without a word, so nothing waits for room here.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../nonblocking.h"
#include "datagram.h"

enum { LARGEST = 65507 }; // 65535 less the headers of IPv4 and UDP

static struct sockaddr_in names[2];

static int64_t max_size(void)
{
	return LARGEST;
}

static int open_socket(struct pair *pair, struct sockaddr_in *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof *name;

	if (fd < 0)
		refused("socket", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	channel_socket_capacity(pair, fd);
	*name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)name, length))
		refused("bind", errno == EADDRINUSE ? "net.ipv4.ip_local_port_range" : NULL);
	if (getsockname(fd, (struct sockaddr *)name, &length))
		refused("getsockname", NULL);
	return fd;
}

// Once it is connected it takes datagrams of the other side alone; what a stranger sent before goes.
static void connect_to(int fd, const struct sockaddr_in *other)
{
	char byte;

	if (connect(fd, (const struct sockaddr *)other, sizeof *other))
		refused("connect", NULL);
	while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT) >= 0)
		;
}

static void open_udp(struct pair *pair)
{
	int fd[2];

	for (int i = 0; i < 2; i++)
		fd[i] = open_socket(pair, &names[i]);
	for (int i = 0; i < 2; i++) {
		connect_to(fd[i], &names[1 - i]);
		pair->ends[i].in = pair->ends[i].out = fd[i];
	}
}

// The address stands there as it lies in memory, the port as a number.
static uint64_t lost_in(const char *line)
{
	unsigned address, port;
	unsigned long long drops;

	if (sscanf(line, "%*s %x:%x %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &address, &port, &drops) != 3)
		return 0;
	for (int i = 0; i < 2; i++)
		if (address == names[i].sin_addr.s_addr && port == ntohs(names[i].sin_port))
			return drops;
	return 0;
}

// From the system's table: the sockets are the sides' own, and must not have more to do for it.
static uint64_t lost(void)
{
	FILE *table = fopen("/proc/net/udp", "re");
	char line[256];
	uint64_t count = 0;

	while (table && fgets(line, sizeof line, table))
		count += lost_in(line);
	if (table)
		fclose(table);
	return count;
}

const struct mechanism udp_mechanism = {
	.name = "udp",
	.summary = "UDP over loopback, both sides connected",
	.manual = "udp(7)",
	.has_capacity = true,
	.max_size = max_size,
	.lost = lost,
	.open = open_udp,
	.close_end = channel_close_end,
	.send = datagram_send,
	.receive = datagram_receive,
	.ways = &datagram_ways,
	.nonblocking = &datagram_nonblocking,
};
