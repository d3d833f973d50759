// Bare loops in the manner of lmbench: ping-pongs, a token ring of two, streams. Our own figures are held against them.
// Deliberately small and apart from the project, as the yardstick is. One clock reading before, one after all of it.
//
//   cc -O2 -o loops loops.c
//   ./loops ping pipe|unix|tcp|futex COUNT BYTES CPU_A CPU_B [clock] [check]     a round trip; futex: a token alone
//   ./loops ring pipe                COUNT BYTES CPU_A CPU_B                     a lap, and what lmbench makes of it
//   ./loops stream pipe|unix|tcp     COUNT BYTES CPU_A CPU_B [whole] [check]     one way; the reader has the clock
//
// clock: reads the clock before and after each round trip as well. whole: reads on until a message is complete, where
// otherwise each read takes what is there. check: numbers each message, and compares what came with what was sent.
// Prints one line of JSON: nanoseconds a round trip, lap or message. A CPU of -1: not pinned.

#define _GNU_SOURCE
#include <err.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 1000 };

struct shared {
	_Atomic uint32_t turn; // futex: 0 is A's, 1 is B's
	double took_ns; // stream: by the reader's clock
};

static struct shared *shared;
static char *sent, *got;
static int size, count, fd[4]; // fd[0], fd[1]: where A reads and writes; fd[2], fd[3]: where B does
static int with_clock, with_check, whole;
static volatile int64_t read_clock; // the reading itself is what costs

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		err(1, "pin to CPU %d", cpu);
}

static void send_all(int to, const char *buf, int bytes)
{
	for (ssize_t n; bytes; buf += n, bytes -= n)
		if ((n = write(to, buf, bytes)) <= 0)
			err(1, "write");
}

static void recv_all(int from, char *buf, int bytes)
{
	for (ssize_t n; bytes; buf += n, bytes -= n)
		if ((n = read(from, buf, bytes)) <= 0)
			err(1, "read");
}

static void open_tcp(int ends[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&at, len) || listen(listener, 1) || getsockname(listener, (void *)&at, &len) ||
	    connect(ends[0], (void *)&at, len) || (ends[1] = accept(listener, NULL, NULL)) < 0)
		err(1, "tcp");
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void open_ends(const char *kind)
{
	int p[2], q[2];

	if (!strcmp(kind, "pipe")) {
		if (pipe(p) || pipe(q))
			err(1, "pipe");
		fd[0] = q[0], fd[1] = p[1], fd[2] = p[0], fd[3] = q[1];
		return;
	}
	if (!strcmp(kind, "tcp"))
		open_tcp(p);
	else if (strcmp(kind, "unix") || socketpair(AF_UNIX, SOCK_STREAM, 0, p))
		errx(2, "pipe, unix, tcp or (ping) futex, not %s", kind);
	fd[0] = fd[1] = p[0], fd[2] = fd[3] = p[1];
}

static void hand_over(uint32_t to)
{
	atomic_store(&shared->turn, to);
	syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (atomic_load(&shared->turn) == to)
		syscall(SYS_futex, &shared->turn, FUTEX_WAIT, to, NULL, NULL, 0);
}

static void number(int i)
{
	memcpy(sent, &i, size < 4 ? size : 4);
}

static void compare(int i)
{
	if (memcmp(sent, got, size))
		errx(1, "message %d came changed", i);
}

static void round_trip(int futex, int i)
{
	if (with_check)
		number(i);
	if (with_clock)
		read_clock = now_ns();
	if (futex) {
		hand_over(1);
	} else {
		send_all(fd[1], sent, size);
		recv_all(fd[0], got, size);
	}
	if (with_clock)
		read_clock = now_ns();
	if (with_check && !futex)
		compare(i);
}

static double ping(int futex)
{
	int64_t start = 0;

	for (int i = -WARM_UP; i < count; i++) {
		if (!i)
			start = now_ns();
		round_trip(futex, i);
	}
	return (double)(now_ns() - start);
}

static void pong(int futex)
{
	if (futex)
		while (!atomic_load(&shared->turn)) // what A hands over first may come before us
			syscall(SYS_futex, &shared->turn, FUTEX_WAIT, 0, NULL, NULL, 0);
	for (int i = -WARM_UP; i < count; i++) {
		if (futex && i == count - 1) {
			atomic_store(&shared->turn, 0);
			syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
		} else if (futex) {
			hand_over(0);
		} else {
			recv_all(fd[2], got, size);
			send_all(fd[3], got, size);
		}
	}
}

static void write_stream(void)
{
	for (int i = -WARM_UP; i < count; i++) {
		if (with_check)
			number(i);
		send_all(fd[1], sent, size);
	}
}

// From the last message of the warm-up to the last of all, as it has read them.
static void read_stream(void)
{
	int64_t start = 0, left;

	for (int i = -WARM_UP; i < 0; i++)
		recv_all(fd[2], got, size);
	start = now_ns();
	for (int i = 0; whole && i < count; i++) {
		recv_all(fd[2], got, size);
		if (with_check) {
			number(i);
			compare(i);
		}
	}
	left = whole ? 0 : (int64_t)count * size;
	for (ssize_t n; left; left -= n)
		if ((n = read(fd[2], got, left < size ? left : size)) <= 0)
			err(1, "read");
	shared->took_ns = now_ns() - start;
}

// What one write and one read of a pipe cost where nobody has to be woken: lat_ctx subtracts it.
static double overhead_ns(void)
{
	int p[2];
	int64_t start;

	if (pipe(p))
		err(1, "pipe");
	start = now_ns();
	for (int i = 0; i < 100000; i++) {
		send_all(p[1], sent, size);
		recv_all(p[0], got, size);
	}
	return (now_ns() - start) / 1e5;
}

static void words(char **word)
{
	for (; *word; word++) {
		with_clock |= !strcmp(*word, "clock");
		with_check |= !strcmp(*word, "check");
		whole |= with_check | !strcmp(*word, "whole");
	}
}

int main(int argc, char **argv)
{
	int stream, futex;
	double each;

	if (argc < 7)
		errx(2, "usage: loops ping|ring|stream pipe|unix|tcp|futex COUNT BYTES CPU_A CPU_B [WORD ...]");
	stream = !strcmp(argv[1], "stream"), futex = !strcmp(argv[2], "futex");
	count = atoi(argv[3]), size = atoi(argv[4]);
	if (count < 1 || size < 1 || (futex && stream))
		errx(2, "COUNT and BYTES are positive, and a futex streams nothing");
	words(argv + 7);
	sent = malloc(size), got = malloc(size);
	memset(sent, 'x', size), memset(got, 0, size);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	if (!futex)
		open_ends(argv[2]);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(atoi(argv[6]));
		stream ? read_stream() : pong(futex);
		_exit(0);
	}
	pin(atoi(argv[5]));
	if (stream)
		write_stream();
	each = stream ? 0 : ping(futex) / count;
	wait(NULL);
	if (stream)
		each = shared->took_ns / count;
	if (!strcmp(argv[1], "ring"))
		printf("{\"ns\": %.1f, \"switch_ns\": %.1f}\n", each, each / 2 - overhead_ns());
	else
		printf("{\"ns\": %.1f}\n", each);
}
