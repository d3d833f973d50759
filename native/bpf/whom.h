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
	char only_comm[16]; /* threads of that name alone; empty: all */
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

static inline int is_named(struct task_struct *task, const volatile struct whom *whom)
{
	for (int i = 0; i < 16 && whom->only_comm[i]; i++)
		if (task->comm[i] != whom->only_comm[i])
			return 0;
	return 1;
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

	if (from != process && whom->only_listed && bpf_map_lookup_elem(&listed, &from))
		bpf_map_update_elem(&listed, &process, &yes, BPF_ANY);
}

static inline void forget_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u32 process = task->tgid;

	if ((u32)task->pid == process)
		bpf_map_delete_elem(&listed, &process);
}
