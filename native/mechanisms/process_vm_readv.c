// The receiver copies straight out of the sender's memory: one copy and no buffer between. The sender says in shared
// memory where its message lies, and waits until it was taken: after that the memory is its own again.
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "futex.h"

struct offer {
	char *message; // in the sender's address space
};

static void open_offers(struct pair *pair)
{
	for (int i = 0; i < 2; i++)
		pair->rings[i] = ring_make(pair, MEMORY_MEMFD, i, 1, sizeof(struct offer));
}

// Yama lets nobody but ancestors look into a process, unless it says otherwise. EINVAL: this kernel has no Yama.
static void connect_offers(struct channel *channel)
{
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	ring_connect(channel);
}

// EPERM is the answer of Yama and of a filter of system calls alike; ENOSYS is a filter's, or a kernel's without it.
static _Noreturn void not_read(ssize_t result)
{
	int number = errno;
	bool yama = number == EPERM && read_number("/proc/sys/kernel/yama/ptrace_scope", 0) > 0;

	errno = number;
	if (result < 0 && (number == EPERM || number == ENOSYS))
		refused("process_vm_readv", yama ? "kernel.yama.ptrace_scope" : "seccomp");
	channel_broken("process_vm_readv", result);
}

static void copy(struct channel *channel, pid_t from, char *theirs, char *message, size_t size)
{
	while (size) {
		struct iovec local = {message, size}, remote = {theirs, size};
		ssize_t n = process_vm_readv(from, &local, 1, &remote, 1, 0);

		channel->counts->syscalls++;
		if (n <= 0)
			not_read(n);
		message += n;
		theirs += n;
		size -= (size_t)n;
	}
}

static MEASURED void send_offer(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->out_ring;
	uint32_t number = ring_number(&ring->filled);

	(void)size;
	((struct offer *)ring->data)->message = message;
	ring_advance(channel, &ring->filled, futex_wake);
	ring_await(channel, &ring->emptied, number, futex_sleep);
}

static MEASURED void receive_offer(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->in_ring;

	ring_await(channel, &ring->filled, ring_number(&ring->emptied), futex_sleep);
	copy(channel, atomic_load_explicit(&ring->emptied.sleeper, memory_order_relaxed), ((struct offer *)ring->data)->message,
		message, size);
	ring_advance(channel, &ring->emptied, futex_wake);
}

const struct mechanism process_vm_readv_mechanism = {
	.name = "process-vm-readv",
	.summary = "the receiver copies out of the sender's memory; waiting on a futex",
	.manual = "process_vm_readv(2)",
	.counts_blocked = true,
	.open = open_offers,
	.attach = connect_offers,
	.send = send_offer,
	.receive = receive_offer,
};
