// System V message queues, one for each direction. They outlive their makers: in a private IPC namespace they end
// with it; in the present one guard.c takes them away, by their key, which is known before they exist.
#include <string.h>
#include <sys/msg.h>

#include "../waiting.h"
#include "sysv.h"

static int64_t max_size(void)
{
	return read_number("/proc/sys/kernel/msgmax", -1);
}

static void set_capacity(struct pair *pair, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds))
		refused("msgctl", NULL);
	if (pair->capacity_wanted) {
		ds.msg_qbytes = (msglen_t)pair->capacity_wanted;
		if (msgctl(id, IPC_SET, &ds) || msgctl(id, IPC_STAT, &ds))
			refused("msgctl", "kernel.msgmnb");
	}
	pair->capacity = (int64_t)ds.msg_qbytes;
	if ((int64_t)pair->size > pair->capacity) // msgsnd would wait for ever
		fail(EXIT_REFUSED, "msgsnd", EAGAIN, "kernel.msgmnb", "a message of %zu bytes does not fit a queue of %lld",
			pair->size, (long long)pair->capacity);
}

static void open_queues(struct pair *pair)
{
	int id[2];

	for (int i = 0; i < 2; i++) {
		id[i] = msgget(sysv_key(pair, i), IPC_CREAT | IPC_EXCL | 0600);
		if (id[i] < 0)
			refused("msgget", errno == ENOSPC ? "kernel.msgmni" : NULL);
		set_capacity(pair, id[i]);
	}
	pair->ends[0].out = pair->ends[1].in = id[0];
	pair->ends[1].out = pair->ends[0].in = id[1];
}

static void remove_queues(const struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		int id = msgget(sysv_key(pair, i), 0600);

		if (id >= 0)
			msgctl(id, IPC_RMID, NULL);
	}
}

// A message begins with its type.
static inline char *typed(char *message)
{
	char *start = message - sizeof(long);
	long type = 1;

	memcpy(start, &type, sizeof type);
	return start;
}

static MEASURED void send_message(struct channel *channel, char *message, size_t size)
{
	char *start = typed(message);

	for (;;) {
		channel->counts->syscalls++;
		if (!msgsnd(channel->out, start, size, 0))
			return;
		if (errno != EINTR)
			channel_broken("msgsnd", -1);
	}
}

static void check_size(ssize_t came, size_t size)
{
	if ((size_t)came != size)
		fail(EXIT_INTERNAL, "msgrcv", 0, NULL, "%zd bytes came instead of %zu", came, size);
}

static inline void receive_with(struct channel *channel, char *message, size_t size, int flags)
{
	ssize_t n;

	do {
		channel->counts->syscalls++;
		n = msgrcv(channel->in, message - sizeof(long), size, 0, flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		channel_broken("msgrcv", n);
	check_size(n, size);
}

static MEASURED void receive_message(struct channel *channel, char *message, size_t size)
{
	receive_with(channel, message, size, 0);
}

static void receive_noerror(struct channel *channel, char *message, size_t size)
{
	receive_with(channel, message, size, MSG_NOERROR);
}

static ssize_t send_once(struct channel *channel, char *message, size_t size)
{
	return msgsnd(channel->out, typed(message), size, IPC_NOWAIT) ? -1 : (ssize_t)size;
}

static ssize_t receive_once(struct channel *channel, char *message, size_t size)
{
	int flags = IPC_NOWAIT | (channel->options->noerror ? MSG_NOERROR : 0);

	return msgrcv(channel->in, message - sizeof(long), size, 0, flags);
}

static void try_send(struct channel *channel, char *message, size_t size)
{
	waiting_send(channel, message, size, send_once, "msgsnd");
}

static void try_receive(struct channel *channel, char *message, size_t size)
{
	check_size(waiting_receive(channel, message, size, receive_once, "msgrcv"), size);
}

static const struct ways ways = {
	.waits = 1 << WAIT_BLOCK | 1 << WAIT_RETRY, // a queue's id is no descriptor
	.try_send = try_send,
	.try_receive = try_receive,
	.receive_noerror = receive_noerror,
};
static int send_now(struct channel *channel, char *message, size_t size, size_t *done)
{
	char *start = message - sizeof(long);
	long type = 1;

	memcpy(start, &type, sizeof type);
	channel->counts->syscalls++;
	if (msgsnd(channel->out, start, size, IPC_NOWAIT)) {
		if (errno != EAGAIN)
			channel_broken("msgsnd", -1);
		return errno;
	}
	*done = size;
	return 0;
}

static int receive_now(struct channel *channel, char *message, size_t size, size_t *done)
{
	ssize_t n;

	channel->counts->syscalls++;
	n = msgrcv(channel->in, message - sizeof(long), size, 0, IPC_NOWAIT);
	if (n < 0) {
		if (errno != ENOMSG)
			channel_broken("msgrcv", n);
		return errno;
	}
	*done = (size_t)n;
	return 0;
}

static const struct nonblocking nonblocking = {.send = send_now, .receive = receive_now};

const struct mechanism sysv_msg_mechanism = {
	.name = "sysv-msg",
	.summary = "System V message queues",
	.manual = "svipc(7)",
	.has_capacity = true,
	.max_size = max_size,
	.max_size_limit = "kernel.msgmax",
	.open = open_queues,
	.remove = remove_queues,
	.send = send_message,
	.receive = receive_message,
	.ways = &ways,
	.shared_most = SIZE_MAX,
	.nonblocking = &nonblocking,
};
