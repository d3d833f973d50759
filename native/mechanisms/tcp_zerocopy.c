// TCP over loopback with MSG_ZEROCOPY (Documentation/networking/msg_zerocopy.rst). A buffer is used again only when the
// error queue has reported that the kernel is done with it. Over loopback it copies all the same, later, and says so.
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> // wants the timespec of time.h

#include "zero_copy.h"

enum {
	CHUNK = 512 << 10, // a call pins its pages, and how many is limited (RLIMIT_MEMLOCK)
	BUFFERS_BYTES = 256 << 10,
	BUFFERS_LEAST = 2,
	BUFFERS_MOST = 64,
	CALLS = 1024,
	OPTMEM_LEAST = 1024, // what the report of one call takes at most
};

struct calls {
	size_t buffers, at; // which of them is being sent
	uint32_t next; // the kernel numbers the calls, and wraps
	uint32_t open; // calls without a report
	uint8_t buffer_of[CALLS];
	uint16_t open_of[BUFFERS_MOST];
};

static size_t buffers(size_t size)
{
	size_t n = BUFFERS_BYTES / size;

	return n < BUFFERS_LEAST ? BUFFERS_LEAST : n > BUFFERS_MOST ? BUFFERS_MOST : n;
}

static void ask_for_reports(int fd)
{
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one))
		refused("setsockopt(SO_ZEROCOPY)", NULL);
}

static void open_sockets(struct pair *pair)
{
	tcp_mechanism.open(pair);
	lent_open(pair, buffers(pair->size), false);
	for (int i = 0; i < 2; i++) {
		struct calls *calls = calloc(1, sizeof *calls);

		if (!calls)
			refused("calloc", NULL);
		calls->buffers = buffers(pair->size);
		pair->own[i] = calls;
		ask_for_reports(pair->ends[i].out);
	}
}

// Reports may come out of order (retransmission), so each call is known by its number.
static void take_report(struct channel *channel, const struct sock_extended_err *report)
{
	struct calls *calls = channel->own;
	uint32_t count = report->ee_data - report->ee_info + 1;

	for (uint32_t i = 0; i < count; i++)
		calls->open_of[calls->buffer_of[(report->ee_info + i) % CALLS]]--;
	calls->open -= count;
	channel->counts->completions += count;
	if (report->ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
		channel->counts->copied += count;
}

static bool read_report(struct channel *channel)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in))];
	} control;
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
	const struct sock_extended_err *report = (const void *)CMSG_DATA(&control.header);

	channel->counts->syscalls++;
	if (recvmsg(channel->out, &message, MSG_ERRQUEUE) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		channel_broken("recvmsg", -1);
	}
	if (message.msg_controllen < sizeof control.header || report->ee_origin != SO_EE_ORIGIN_ZEROCOPY || report->ee_errno)
		fail(EXIT_INTERNAL, "recvmsg", 0, NULL, "the error queue holds something else than a report of MSG_ZEROCOPY");
	take_report(channel, report);
	return true;
}

static void await_report(struct channel *channel)
{
	struct pollfd look = {.fd = channel->out}; // POLLERR comes unasked

	while (!read_report(channel)) {
		if (look.revents & POLLHUP)
			channel_broken("recvmsg", 0);
		channel->counts->syscalls++;
		if (poll(&look, 1, -1) < 0 && errno != EINTR)
			channel_broken("poll", -1);
	}
}

// ENOBUFS: too much waits for its report, or is pinned. With nothing of ours under way, it will never fit.
static void make_room(struct channel *channel)
{
	const struct calls *calls = channel->own;

	if (!calls->open)
		refused("send(MSG_ZEROCOPY)", read_number("/proc/sys/net/core/optmem_max", OPTMEM_LEAST) < OPTMEM_LEAST
				? "net.core.optmem_max" : "RLIMIT_MEMLOCK");
	await_report(channel);
}

static size_t send_some(struct channel *channel, const char *message, size_t size)
{
	struct calls *calls = channel->own;
	ssize_t n;

	if (calls->open == CALLS)
		await_report(channel);
	n = send(channel->out, message, size < CHUNK ? size : CHUNK, MSG_ZEROCOPY);
	if (n < 0 && errno == ENOBUFS) {
		channel->counts->syscalls++;
		make_room(channel);
		return 0;
	}
	if (n > 0) {
		calls->buffer_of[calls->next++ % CALLS] = (uint8_t)calls->at;
		calls->open_of[calls->at]++;
		calls->open++;
	}
	return moved(channel, "send", n);
}

// When it returns, the buffer of the next message is free.
static MEASURED void send_message(struct channel *channel, char *message, size_t size)
{
	struct calls *calls = channel->own;

	while (size) {
		size_t n = send_some(channel, message, size);

		message += n;
		size -= n;
	}
	calls->at = (calls->at + 1) % calls->buffers;
	while (calls->open_of[calls->at])
		await_report(channel);
}

const struct mechanism tcp_zerocopy_mechanism = {
	.name = "tcp-zerocopy",
	.summary = "TCP over loopback with MSG_ZEROCOPY: pinned instead of copied, then copied by loopback all the same; read copies out",
	.manual = "Documentation/networking/msg_zerocopy.rst",
	.has_capacity = true,
	.reports_copies = true,
	.open = open_sockets,
	.close_end = channel_close_end,
	.send = send_message,
	.receive = channel_receive,
};
