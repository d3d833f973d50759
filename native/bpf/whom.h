/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which processes are watched: user space lists them, or names a thread; what they start belongs to them. And what had
 * no room is counted, so that it can be told. */
#pragma once

#include "kernel.h"

enum { PROCESSES = 4096 };

/* Set before it is loaded: the first fields of each program's settings. */
struct whom {
	u32 own; /* our own process, which is never counted */
	u32 only_listed; /* processes in `listed` alone, and what they start */
	u64 only_comm[2], comm_mask[2]; /* threads of that name alone; a mask of zero: all */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES);
	__type(key, u32);
	__type(value, u8);
} listed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

static inline void lose(void)
{
	u32 first = 0;
	u64 *count = bpf_map_lookup_elem(&lost, &first);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* What follows the end of a name may be anything, so user space gives a mask of what counts. */
static inline int is_named(struct task_struct *task, const volatile struct whom *whom)
{
	u64 name[2] = {};

	if (!whom->comm_mask[0])
		return 1;
	bpf_probe_read_kernel(name, sizeof name, __builtin_preserve_access_index(&task->comm));
	return (name[0] & whom->comm_mask[0]) == whom->only_comm[0] && (name[1] & whom->comm_mask[1]) == whom->only_comm[1];
}

static inline int is_meant(struct task_struct *task, const volatile struct whom *whom)
{
	u32 process = task->tgid;

	if (process == whom->own || (whom->only_listed && !bpf_map_lookup_elem(&listed, &process)))
		return 0;
	return is_named(task, whom);
}

static inline void follow_fork(u64 *ctx, const volatile struct whom *whom)
{
	struct task_struct *parent = (struct task_struct *)ctx[0], *child = (struct task_struct *)ctx[1];
	u32 from = parent->tgid, process = child->tgid;
	u8 yes = 1;

	if (from == process || !whom->only_listed || !bpf_map_lookup_elem(&listed, &from))
		return;
	if (bpf_map_update_elem(&listed, &process, &yes, BPF_ANY))
		lose();
}

static inline void forget_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u32 process = task->tgid;

	if (!task->signal->live.counter) /* the last of its threads */
		bpf_map_delete_elem(&listed, &process);
}
