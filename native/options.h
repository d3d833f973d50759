// What `ipctune-core run` was asked for, checked.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pattern { PING_PONG, STREAM };
enum policy { POLICY_OTHER, POLICY_BATCH, POLICY_FIFO };
enum ipc_namespace { IPC_PRIVATE_IF_POSSIBLE, IPC_PRIVATE_ONLY, IPC_PRESENT };

enum { SYSCTLS_MAX = 16, MESSAGE_MAX = 16 << 20 };

struct options {
	const char *mechanism;
	enum pattern pattern;
	size_t size;
	int cpus[2]; // -1: not pinned
	double seconds;
	double rate; // messages a second; 0: as fast as it goes
	int64_t gap_ns;
	int64_t work_ns; // what the server of a ping-pong computes before it answers
	uint64_t seed;
	int64_t capacity; // 0: the kernel's default
	enum policy policy;
	enum ipc_namespace ipc_namespace;
	const char *sysctls[SYSCTLS_MAX]; // NAME=VALUE
	int sysctl_count;
};

// Ends the process with exit status 2 where the words make no sense.
struct options options_parse(int argc, char **argv);

// One option's value, within its bounds; ends the process with exit status 2 where it makes no sense.
int64_t option_whole(const char *name, const char *text, int64_t least, int64_t most);
double option_real(const char *name, const char *text, double least, double most);
void option_cpus(const char *text, int cpus[2]); // A,B
