// A mechanism is a row of operations. To add one: a file in mechanisms/ and a line in mechanism.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

// Code of measured loops lies together: under a hypervisor that shadows page tables each page that is touched anew after
// a switch is a good part of a hundred nanoseconds.
#define MEASURED __attribute__((hot))

struct mechanism;
struct ring;
struct lent;
struct waiting;

// What a side has done; in shared memory, each side on a cache line of its own, so that the other can read it later.
struct side_counts {
	_Alignas(128) uint64_t syscalls; // of the mechanism alone, counted where they are made
	uint64_t blocked; // times it had to wait, where the mechanism can tell for nothing
	uint64_t completions, copied; // calls with MSG_ZEROCOPY that the kernel is done with; those of them that it copied
};

// Both sides, as opened before the fork. Side 0 drives (client, producer), side 1 answers or consumes.
struct pair {
	const struct mechanism *mechanism;
	const struct options *options; // for what one mechanism alone asks about
	size_t size; // bytes a message
	bool stream; // messages go from side 0 to side 1 only
	int64_t capacity_wanted; // 0: the kernel's default
	int64_t capacity; // in effect; -1: the mechanism has none to tell
	uint64_t token; // random: what has to have a name is named after it
	struct {
		int in, out;
	} ends[2];
	struct ring *rings[2]; // to side 1, to side 0
	struct lent *lent[2]; // where each side writes what it sends; NULL: wherever it likes
	void *own[2]; // what else the mechanism keeps for each side
	const char *pages; // that the rings' memory got; NULL: no rings of messages
	int64_t slots; // of the ring to side 1; -1: no rings of messages
	struct pair *next; // of a fan with a channel for each peer
};

// One side, as it sees itself. `in` and `out` are descriptors or ids.
struct channel {
	int in, out;
	struct ring *in_ring, *out_ring;
	struct lent *lent;
	void *own;
	struct side_counts *counts;
	int side;
	uint64_t received; // for test-corrupt alone
	const struct options *options;
	const struct waiting *waiting;
	int epoll_in, epoll_out;
	size_t whole, begun; // batches of bytes: what of the buffer was handed out, and what of a message lies after it
};

enum { WAITS_ALL = (1 << WAITS) - 1 };

// What a mechanism has beside blocking calls for a message each; NULL where it has not.
struct ways {
	unsigned waits; // a bit for each of enum wait
	void (*unblock)(struct channel *channel); // what is set once so that calls don't block
	void (*try_send)(struct channel *channel, char *message, size_t size);
	void (*try_receive)(struct channel *channel, char *message, size_t size);
	void (*send_pieces)(struct channel *channel, char *message, size_t size); // in writes of options->write_size
	void (*send_batch)(struct channel *channel, char *messages, size_t size, size_t count);
	size_t (*receive_batch)(struct channel *channel, char *messages, size_t size, size_t most); // how many came
	void (*receive_noerror)(struct channel *channel, char *message, size_t size);
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

typedef void move_message(struct channel *channel, char *message, size_t size);

struct mechanism {
	const char *name, *summary, *manual;
	bool has_capacity;
	bool has_ring; // messages lie in rings of shared memory: --pages and --slots say how
	bool has_spin; // --spin
	bool counts_blocked;
	bool reports_copies; // counts completions
	bool test_only;
	bool in_file_system; // has names there until open() is done, whatever the IPC namespace
	bool size_by_capacity; // --capacity takes larger messages than max_size: open() refuses
	bool pollable; // both ends are descriptors that epoll(7) can wait for
	// Fans: the largest message that many may put into one channel, and many take out, whole; 0: none.
	size_t shared_most;
	// Largest message in bytes, -1: no limit of its own. Reads the limits of the present namespace.
	int64_t (*max_size)(void);
	const char *max_size_limit; // the setting behind it
	// Messages that are lost by now; NULL: none ever is. Where they can be, a stream as fast as it goes is refused.
	uint64_t (*lost)(void);
	void (*open)(struct pair *pair);
	void (*attach)(struct channel *channel); // in each side, before its first message; NULL: nothing to do
	void (*close_end)(struct pair *pair, int side); // after the fork, the end of the other; NULL: nothing to close
	// Take away what has a name. Must do no harm when called twice or before open(). NULL: nothing has a name.
	void (*remove)(const struct pair *pair);
	move_message *send, *receive;
	const struct ways *ways; // NULL: none but these
	const struct nonblocking *nonblocking; // NULL: no bursts
	const struct connections *connections; // NULL: nothing to connect to
};

// How the peers of a fan reach its hub.
enum sharing { NO_SHARING, ONE_CHANNEL, CHANNEL_EACH };

extern const struct mechanism pipe_mechanism, fifo_mechanism, unix_stream_mechanism, unix_abstract_mechanism,
	unix_path_mechanism, unix_dgram_mechanism, unix_seqpacket_mechanism, tcp_mechanism, udp_mechanism,
	sysv_msg_mechanism, posix_mq_mechanism, memfd_futex_mechanism, memfd_eventfd_mechanism, memfd_spin_mechanism,
	memfd_spin_futex_mechanism, memfd_mutex_cond_mechanism, memfd_signal_mechanism, sysv_shm_futex_mechanism,
	sysv_shm_sem_mechanism, sysv_shm_posix_sem_mechanism, process_vm_readv_mechanism, vmsplice_mechanism,
	splice_mechanism, tee_mechanism, sendfile_mechanism, copy_file_range_mechanism, tcp_zerocopy_mechanism,
	io_uring_mechanism, test_corrupt_mechanism;

const struct mechanism *mechanism_named(const char *name); // with its own calls; wrong use where there is none
// As asked for: its send and receive wait, cut and so on as the options say. Wrong use where it can't.
const struct mechanism *mechanism_find(const struct options *options);
_Noreturn void mechanism_lost(const struct options *options, uint64_t count); // messages that never came
bool mechanism_has(const struct mechanism *mechanism, enum pattern pattern);
enum sharing mechanism_sharing(const struct mechanism *mechanism, const struct options *options); // NO_SHARING: not a fan
void mechanisms_print(void); // the `mechanisms` command
