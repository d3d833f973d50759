// Slots in a memfd; a side that has to wait reads an eventfd.
#include <sys/eventfd.h>

#include "ring.h"

static int wait_descriptor(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		refused("eventfd", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	return fd;
}

static void open_ring(struct pair *pair)
{
	ring_open(pair);
	for (int i = 0; i < 2; i++) {
		pair->rings[i]->filled.eventfd = wait_descriptor();
		pair->rings[i]->emptied.eventfd = wait_descriptor();
	}
}

// A count left over from an earlier race wakes us once for nothing: the caller's loop looks again.
static void eventfd_sleep(struct channel *channel, struct ring_wait *wait)
{
	uint64_t count;

	channel->counts->syscalls++;
	if (read(wait->eventfd, &count, sizeof count) < 0 && errno != EINTR)
		channel_broken("read", -1);
}

static void eventfd_wake(struct channel *channel, struct ring_wait *wait)
{
	uint64_t one = 1;

	channel->counts->syscalls++;
	if (write(wait->eventfd, &one, sizeof one) < 0)
		channel_broken("write", -1);
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	ring_send(channel, message, size, eventfd_sleep, eventfd_wake);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	ring_receive(channel, message, size, eventfd_sleep, eventfd_wake);
}

const struct mechanism memfd_eventfd_mechanism = {
	.name = "memfd-eventfd",
	.summary = "shared memory, waiting on an eventfd",
	.manual = "eventfd(2)",
	.has_ring = true,
	.counts_blocked = true,
	.open = open_ring,
	.attach = ring_connect,
	.send = send_slot,
	.receive = receive_slot,
	.nonblocking = &ring_nonblocking,
};
