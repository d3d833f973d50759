// What `ipctune-core run` was asked for, checked.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pattern { PING_PONG, STREAM, BURST, FAN_IN, FAN_OUT, CONNECT, PATTERNS };
extern const char *const pattern_names[PATTERNS + 1]; // NULL ends it
enum policy { POLICY_OTHER, POLICY_BATCH, POLICY_FIFO };
enum pages { PAGES_NORMAL, PAGES_PREFAULT, PAGES_MLOCK, PAGES_HUGE };
enum wait { WAIT_BLOCK, WAIT_RETRY, WAIT_POLL, WAIT_EPOLL, WAITS };
enum ipc_namespace { IPC_PRIVATE_IF_POSSIBLE, IPC_PRIVATE_ONLY, IPC_PRESENT };

enum { SYSCTLS_MAX = 16, MESSAGE_MAX = 16 << 20, SLOTS_MAX = 16384, RING_MAX = 1 << 30, SPIN_NS = 20000 };
enum { PEERS_MAX = 64, BURST_MAX = 100000, BATCH_MAX = 1024 }; // sendmmsg(2) takes UIO_MAXIOV at most

// Payload of that many bytes holds the number of a fan's message without a wrap.
enum { WHOLE_NUMBER = 8 };

extern const char *const wait_names[WAITS + 1]; // by enum wait, and a NULL

struct options {
	const char *mechanism;
	enum pattern pattern;
	size_t size;
	int cpus[2]; // -1: not pinned
	double seconds;
	double rate; // messages a second; 0: as fast as it goes
	int64_t gap_ns;
	int64_t work_ns[2]; // what the driver computes before each send, the answerer after each receive
	int burst; // messages of a burst; 0: another pattern
	int peers; // of a fan; 0: another pattern
	uint64_t seed;
	int64_t capacity; // 0: the kernel's default
	enum pages pages; // of the memory that rings lie in
	int64_t slots; // of the ring of a stream, a power of two; 0: as many as make 1 MiB
	int64_t spin_ns; // before a side falls asleep
	enum wait wait; // how a side waits for the other
	size_t write_size; // most bytes a write; 0: a message goes out in one
	size_t batch; // messages handed over in one call
	bool noerror; // MSG_NOERROR
	enum policy policy;
	enum ipc_namespace ipc_namespace;
	const char *sysctls[SYSCTLS_MAX]; // NAME=VALUE
	int sysctl_count;
};

// Do messages go one way only, from the driver to the answerer?
static inline bool one_way(enum pattern pattern)
{
	return pattern != PING_PONG && pattern != CONNECT;
}

static inline int64_t option_spin_ns(const struct options *options)
{
	return options->spin_ns ? options->spin_ns : SPIN_NS;
}

static inline bool is_fan(enum pattern pattern)
{
	return pattern == FAN_IN || pattern == FAN_OUT;
}

// Ends the process with exit status 2 where the words make no sense.
struct options options_parse(int argc, char **argv);

// One option's value, within its bounds; ends the process with exit status 2 where it makes no sense.
int64_t option_whole(const char *name, const char *text, int64_t least, int64_t most);
double option_real(const char *name, const char *text, double least, double most);
void option_cpus(const char *text, int cpus[2]); // A,B
