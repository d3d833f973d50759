// A mechanism is a row of operations. To add one: a file in mechanisms/ and a line in mechanism.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

struct mechanism;
struct ring;

// What a side has done; in shared memory, each side on a cache line of its own, so that the other can read it later.
struct side_counts {
	_Alignas(128) uint64_t syscalls; // of the mechanism alone, counted where they are made
	uint64_t blocked; // times it had to wait, where the mechanism can tell for nothing
};

// Both sides, as opened before the fork. Side 0 drives (client, producer), side 1 answers or consumes.
struct pair {
	const struct mechanism *mechanism;
	size_t size; // bytes a message
	bool stream; // messages go from side 0 to side 1 only
	int64_t capacity_wanted; // 0: the kernel's default
	int64_t capacity; // in effect; -1: the mechanism has none to tell
	uint64_t token; // random: what has to have a name is named after it
	struct {
		int in, out;
	} ends[2];
	struct ring *rings[2]; // to side 1, to side 0
	struct pair *next; // of a fan with a channel for each peer
};

// One side, as it sees itself. `in` and `out` are descriptors or ids.
struct channel {
	int in, out;
	struct ring *in_ring, *out_ring;
	struct side_counts *counts;
	int side;
	uint64_t received; // for test-corrupt alone
};

enum { BUFFER_HEADROOM = 64 }; // writable bytes before each payload buffer: msgsnd(2) wants its type there

// Calls that never wait, for bursts. Each moves *done on by the bytes that went and gives 0 where the message is whole;
// otherwise the errno that said why not (no room, nothing there), or -1 where nothing has an errno.
struct nonblocking {
	bool may_lose; // a message that was taken need not come
	bool polled; // poll(2) on the descriptors tells when to try again; otherwise what is to come is there at once
	void (*begin)(struct channel *channel); // NULL: the calls need nothing set
	int (*send)(struct channel *channel, char *message, size_t size, size_t *done);
	int (*receive)(struct channel *channel, char *message, size_t size, size_t *done);
};

// Connections that are made while it is measured; all three give descriptors.
struct connections {
	int (*listen)(struct pair *pair); // before the fork
	int (*connect)(const struct pair *pair, struct side_counts *counts);
	int (*accept)(const struct pair *pair, int listener, struct side_counts *counts);
};

struct mechanism {
	const char *name, *summary, *manual;
	bool has_capacity;
	bool counts_blocked;
	bool test_only;
	bool pollable; // both ends are descriptors that epoll(7) can wait for
	// Fans: the largest message that many may put into one channel, and many take out, whole; 0: none.
	size_t shared_most;
	// Largest message in bytes, -1: no limit of its own. Reads the limits of the present namespace.
	int64_t (*max_size)(void);
	const char *max_size_limit; // the setting behind it
	void (*open)(struct pair *pair);
	void (*close_end)(struct pair *pair, int side); // after the fork, the end of the other; NULL: nothing to close
	// Take away what has a name. Must do no harm when called twice or before open(). NULL: nothing has a name.
	void (*remove)(const struct pair *pair);
	void (*send)(struct channel *channel, char *message, size_t size);
	void (*receive)(struct channel *channel, char *message, size_t size);
	const struct nonblocking *nonblocking; // NULL: no bursts
	const struct connections *connections; // NULL: nothing to connect to
};

// How the peers of a fan reach its hub.
enum sharing { NO_SHARING, ONE_CHANNEL, CHANNEL_EACH };

extern const struct mechanism pipe_mechanism, unix_stream_mechanism, unix_abstract_mechanism, tcp_mechanism,
	sysv_msg_mechanism, posix_mq_mechanism, memfd_futex_mechanism, memfd_eventfd_mechanism, test_corrupt_mechanism,
	test_lossy_mechanism;

const struct mechanism *mechanism_find(const char *name);
bool mechanism_has(const struct mechanism *mechanism, enum pattern pattern);
enum sharing mechanism_sharing(const struct mechanism *mechanism, const struct options *options); // NO_SHARING: not a fan
void mechanisms_print(void); // the `mechanisms` command
