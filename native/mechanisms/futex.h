// Sleeping on a futex in memory that processes share: for rings of every kind of memory.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>

#include "ring.h"

// On the flag, not on the counter: a waker that is late with an earlier message clears the flag, and then the kernel
// lets nobody fall asleep whom nobody would wake.
static inline void futex_sleep(struct channel *channel, struct ring_wait *wait)
{
	channel->counts->syscalls++;
	// EAGAIN: the flag is cleared already. EINTR: look again. Both are the caller's loop.
	if (syscall(SYS_futex, &wait->sleeping, FUTEX_WAIT, 1, NULL, NULL, 0) && errno != EAGAIN && errno != EINTR)
		channel_broken("futex", -1);
}

static inline void futex_wake(struct channel *channel, struct ring_wait *wait)
{
	channel->counts->syscalls++;
	if (syscall(SYS_futex, &wait->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0) < 0)
		channel_broken("futex", -1);
}
