// Slots in a memfd; a side that has to wait sleeps on a futex.
#include <linux/futex.h>
#include <sys/syscall.h>

#include "ring.h"

// On the flag, not on the counter: a waker that is late with an earlier message clears the flag, and then the kernel
// lets nobody fall asleep whom nobody would wake.
static void futex_sleep(struct channel *channel, struct ring_wait *wait)
{
	channel->counts->syscalls++;
	// EAGAIN: the flag is cleared already. EINTR: look again. Both are the caller's loop.
	if (syscall(SYS_futex, &wait->sleeping, FUTEX_WAIT, 1, NULL, NULL, 0) && errno != EAGAIN && errno != EINTR)
		channel_broken("futex", -1);
}

static void futex_wake(struct channel *channel, struct ring_wait *wait)
{
	channel->counts->syscalls++;
	if (syscall(SYS_futex, &wait->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0) < 0)
		channel_broken("futex", -1);
}

static void send_slot(struct channel *channel, char *message, size_t size)
{
	ring_send(channel, message, size, futex_sleep, futex_wake);
}

static void receive_slot(struct channel *channel, char *message, size_t size)
{
	ring_receive(channel, message, size, futex_sleep, futex_wake);
}

const struct mechanism memfd_futex_mechanism = {
	.name = "memfd-futex",
	.summary = "shared memory, waiting on a futex",
	.manual = "futex(7)",
	.counts_blocked = true,
	.open = ring_open,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
