// Slots in a memfd; a side that has to wait reads a signalfd, and the other side sends it a signal. Standard signals
// that are pending coalesce: the ring's counters say what there is, the signal only that it is time to look.
#include <signal.h>
#include <sys/signalfd.h>

#include "ring.h"

// In each side: a signalfd that came through the fork would be the parent's in poll(2). Nobody sends before we wait,
// so the signal is blocked in time.
static void connect_signal(struct channel *channel)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		refused("sigprocmask", NULL);
	channel->in = signalfd(-1, &set, SFD_CLOEXEC);
	if (channel->in < 0)
		refused("signalfd", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	ring_connect(channel);
}

static void signal_sleep(struct channel *channel, struct ring_wait *wait)
{
	struct signalfd_siginfo info;

	(void)wait;
	channel->counts->syscalls++;
	if (read(channel->in, &info, sizeof info) < 0 && errno != EINTR)
		channel_broken("read", -1);
}

static void signal_wake(struct channel *channel, struct ring_wait *wait)
{
	channel->counts->syscalls++;
	if (kill(atomic_load_explicit(&wait->sleeper, memory_order_relaxed), SIGUSR1))
		channel_broken("kill", -1);
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	ring_send(channel, message, size, signal_sleep, signal_wake);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	ring_receive(channel, message, size, signal_sleep, signal_wake);
}

const struct mechanism memfd_signal_mechanism = {
	.name = "memfd-signal",
	.summary = "shared memory, woken by a signal through a signalfd",
	.manual = "signalfd(2)",
	.has_ring = true,
	.counts_blocked = true,
	.open = ring_open,
	.attach = connect_signal,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
