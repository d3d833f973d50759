// A pair of Unix stream sockets, each side with a ring of io_uring(7): one io_uring_enter(2) submits a send or receive
// and waits for its completion. What is sent is copied in and out as by write(2) and read(2).
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../channel.h"

#ifndef IORING_SETUP_SINGLE_ISSUER // headers before Linux 6.0
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN // before 6.1
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

enum { ENTRIES = 1 };

// Both queues lie in memory that the kernel shares with us.
struct queues {
	int fd;
	uint32_t *submitted, *completed, *taken; // tail of the one; tail and head of the other
	struct io_uring_sqe *request;
	const struct io_uring_cqe *completions;
	uint32_t completions_mask;
};

static _Noreturn void setup_refused(void)
{
	int number = errno;
	const char *limit = NULL, *why = "";

	if (number == ENOSYS)
		why = ": this kernel has no io_uring, or a seccomp filter hides it";
	else if (number == EPERM && read_number("/proc/sys/kernel/io_uring_disabled", 0) > 0)
		limit = "kernel.io_uring_disabled";
	else if (number == EPERM || number == EACCES)
		why = ": a seccomp filter or a security module forbids it";
	else if (number == ENOMEM)
		limit = "RLIMIT_MEMLOCK"; // counted before Linux 5.12
	else if (number == EMFILE)
		limit = "RLIMIT_NOFILE";
	fail(EXIT_REFUSED, "io_uring_setup", number, limit, "io_uring_setup: %s%s", strerror(number), why);
}

// One task submits and waits: a kernel that knows this (6.1) spares the interrupts that completions cost otherwise.
static int set_up(struct io_uring_params *parameters)
{
	int fd;

	*parameters = (struct io_uring_params){.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
	fd = (int)syscall(SYS_io_uring_setup, ENTRIES, parameters);
	if (fd < 0 && errno == EINVAL) {
		*parameters = (struct io_uring_params){0};
		fd = (int)syscall(SYS_io_uring_setup, ENTRIES, parameters);
	}
	if (fd < 0)
		setup_refused();
	if (!(parameters->features & IORING_FEAT_SINGLE_MMAP))
		fail(EXIT_REFUSED, "io_uring_setup", 0, NULL, "io_uring of this kernel can't send and receive: that takes Linux 5.6");
	return fd;
}

static char *map(int fd, size_t bytes, off_t what)
{
	char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	if (start == MAP_FAILED)
		refused("mmap", NULL);
	return start;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

// In the side itself: a ring belongs to the task that made it.
static void attach(struct channel *channel)
{
	struct io_uring_params p;
	struct queues *q = calloc(1, sizeof *q);
	int fd = set_up(&p);
	char *rings = map(fd, larger(p.sq_off.array + p.sq_entries * sizeof(uint32_t),
		p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe)), IORING_OFF_SQ_RING);

	if (!q)
		refused("calloc", NULL);
	*q = (struct queues){
		.fd = fd,
		.submitted = (void *)(rings + p.sq_off.tail),
		.completed = (void *)(rings + p.cq_off.tail),
		.taken = (void *)(rings + p.cq_off.head),
		.request = (void *)map(fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES),
		.completions = (const void *)(rings + p.cq_off.cqes),
		.completions_mask = p.cq_entries - 1,
	};
	*(uint32_t *)(void *)(rings + p.sq_off.array) = 0; // the one entry is always this one
	channel->own = q;
}

static bool completed(const struct queues *q)
{
	return __atomic_load_n(q->completed, __ATOMIC_ACQUIRE) != *q->taken;
}

// Where a signal comes between both, what was submitted stays so, and only the wait is done again.
static void submit_and_wait(struct channel *channel, struct queues *q)
{
	unsigned left = 1;

	__atomic_store_n(q->submitted, *q->submitted + 1, __ATOMIC_RELEASE);
	do {
		long n = syscall(SYS_io_uring_enter, q->fd, left, 1, IORING_ENTER_GETEVENTS, NULL, 0);

		channel->counts->syscalls++;
		if (n < 0 && errno != EINTR)
			channel_broken("io_uring_enter", -1);
		left -= n > 0;
	} while (!completed(q));
}

static int32_t result(struct queues *q)
{
	int32_t n = q->completions[*q->taken & q->completions_mask].res;

	__atomic_store_n(q->taken, *q->taken + 1, __ATOMIC_RELEASE);
	return n;
}

static void transfer(struct channel *channel, uint8_t what, int fd, char *message, size_t size)
{
	struct queues *q = channel->own;

	while (size) {
		int32_t n;

		*q->request = (struct io_uring_sqe){.opcode = what, .fd = fd, .addr = (uintptr_t)message, .len = (uint32_t)size,
			.msg_flags = MSG_WAITALL};
		submit_and_wait(channel, q);
		n = result(q);
		if (n <= 0 && n != -EINTR && n != -EAGAIN) {
			errno = -n;
			channel_broken(what == IORING_OP_SEND ? "io_uring send" : "io_uring recv", n);
		}
		message += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
}

static MEASURED void send_message(struct channel *channel, char *message, size_t size)
{
	transfer(channel, IORING_OP_SEND, channel->out, message, size);
}

static MEASURED void receive_message(struct channel *channel, char *message, size_t size)
{
	transfer(channel, IORING_OP_RECV, channel->in, message, size);
}

static void open_sockets(struct pair *pair)
{
	unix_stream_mechanism.open(pair);
}

const struct mechanism io_uring_mechanism = {
	.name = "io-uring",
	.summary = "Unix stream sockets, each send and receive one io_uring_enter; copied in and out as by write and read",
	.manual = "io_uring(7)",
	.has_capacity = true,
	.open = open_sockets,
	.attach = attach,
	.close_end = channel_close_end,
	.send = send_message,
	.receive = receive_message,
};
