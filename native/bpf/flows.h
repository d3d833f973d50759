/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How much goes through each pipe, socket and message queue, by process and end: messages, bytes, how full it was, and
 * how long the process slept for room or for something to come. Both ends of a connection are one object. */
#pragma once

#include "talk.h"
#include "whom.h"

enum {
	NUMBERS = 512, /* of system calls */
	/* What a call does, by its number. */
	OF_INTEREST = 0x01,
	SENDS = 0x02, /* otherwise it receives */
	SYSTEM_V = 0x04, /* the first argument is a queue's id */
	POSIX_QUEUE = 0x08, /* the first argument is a queue's descriptor */
	RETURNS_MESSAGES = 0x10, /* their number, where others return bytes */
	RETURNS_NOTHING = 0x20, /* 0: the size is the third argument */
	ONLY_WAKES = 0x40, /* futex, semaphores: nothing goes through, but others are woken */
};

const volatile struct {
	struct whom whom;
	u8 kinds[NUMBERS];
} settings SEC(".rodata.settings") = {};

struct key {
	u64 object; /* inode, or the id of a queue */
	u32 process;
	u16 talk, sends;
};

struct call {
	struct key key;
	void *pipe;
	u64 asleep_since_ns, asleep_ns, size;
	u32 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} present SEC(".maps");

struct flow {
	u64 messages, bytes, asleep_ns, slept, failed;
	u64 fill, capacity, looks; /* pages of a pipe, summed over the calls that moved something */
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES);
	__type(key, struct key);
	__type(value, struct flow);
} sums SEC(".maps");

static int find_object(struct call *call, struct task_struct *task, u64 first)
{
	struct file_seen seen;

	call->pipe = 0;
	if (call->kind & ONLY_WAKES) {
		call->key.talk = call->kind & SYSTEM_V ? A_SEMAPHORE : A_FUTEX;
		return 1;
	}
	if (call->kind & SYSTEM_V) {
		call->key.object = first;
		call->key.talk = A_SYSTEM_V_QUEUE;
		return 1;
	}
	if (call->kind & POSIX_QUEUE) {
		struct file *file = file_of(task, (u32)first);
		struct inode *inode = 0;

		if (!file)
			return 0;
		READ_KERNEL(inode, file, f_inode);
		READ_KERNEL(call->key.object, inode, i_ino);
		call->key.talk = A_POSIX_QUEUE;
		return 1;
	}
	seen = look_at(task, (u32)first);
	call->key.object = seen.object;
	call->key.talk = (u16)seen.talk;
	if (seen.talk == A_PIPE)
		call->pipe = seen.private_data;
	return seen.talk != NO_TALK;
}

SEC("tp_btf/sys_enter")
int call_begins(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u64 number = ctx[1];
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *call;
	u8 kind;

	if (number >= NUMBERS)
		return 0;
	kind = settings.kinds[number];
	if (!kind || !is_meant(task, &settings.whom))
		return 0;
	call = bpf_task_storage_get(&present, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose();
		return 0;
	}
	call->kind = kind;
	if (!find_object(call, task, FIRST_ARGUMENT(regs))) {
		call->kind = 0;
		return 0;
	}
	call->key.process = task->tgid;
	call->key.sends = kind & SENDS ? 1 : 0;
	call->size = THIRD_ARGUMENT(regs);
	call->asleep_ns = call->asleep_since_ns = 0;
	return 0;
}

static struct flow *flow_of(struct call *call)
{
	struct flow empty = {}, *flow = bpf_map_lookup_elem(&sums, &call->key);

	if (flow)
		return flow;
	bpf_get_current_comm(empty.comm, sizeof empty.comm);
	bpf_map_update_elem(&sums, &call->key, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sums, &call->key);
}

static void look_at_fill(struct flow *flow, struct pipe_inode_info *pipe)
{
	u32 head = 0, tail = 0, most = 0;

	READ_KERNEL(head, pipe, head);
	READ_KERNEL(tail, pipe, tail);
	READ_KERNEL(most, pipe, max_usage);
	__sync_fetch_and_add(&flow->fill, head - tail);
	__sync_fetch_and_add(&flow->capacity, most);
	__sync_fetch_and_add(&flow->looks, 1);
}

static void add_moved(struct flow *flow, struct call *call, u64 result)
{
	u64 messages = call->kind & RETURNS_MESSAGES ? result : 1;
	u64 bytes = call->kind & RETURNS_NOTHING ? call->size : call->kind & RETURNS_MESSAGES ? 0 : result;

	__sync_fetch_and_add(&flow->messages, messages);
	__sync_fetch_and_add(&flow->bytes, bytes);
	if (call->pipe)
		look_at_fill(flow, call->pipe);
}

SEC("tp_btf/sys_exit")
int call_ends(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *call = bpf_task_storage_get(&present, task, 0, 0);
	long result = (long)ctx[1];
	struct flow *flow;

	if (!call || !call->kind)
		return 0;
	if (call->kind & ONLY_WAKES) {
		call->kind = 0;
		return 0;
	}
	flow = flow_of(call);
	if (!flow) {
		lose();
	} else {
		if (result > 0 || (!result && call->kind & RETURNS_NOTHING))
			add_moved(flow, call, (u64)result);
		else if (result < 0)
			__sync_fetch_and_add(&flow->failed, 1);
		if (call->asleep_ns) {
			__sync_fetch_and_add(&flow->asleep_ns, call->asleep_ns);
			__sync_fetch_and_add(&flow->slept, 1);
		}
	}
	call->kind = 0;
	return 0;
}

SEC("tp_btf/sched_switch")
int task_changes(u64 *ctx)
{
	int preempted = (int)ctx[0];
	struct task_struct *leaves = (struct task_struct *)ctx[1], *comes = (struct task_struct *)ctx[2];
	struct call *call = bpf_task_storage_get(&present, leaves, 0, 0);
	u64 now = bpf_ktime_get_ns();

	if (call && call->kind && !preempted && leaves->__state)
		call->asleep_since_ns = now;
	call = bpf_task_storage_get(&present, comes, 0, 0);
	if (call && call->kind && call->asleep_since_ns) {
		call->asleep_ns += now - call->asleep_since_ns;
		call->asleep_since_ns = 0;
	}
	return 0;
}

SEC("tp_btf/sched_process_fork")
int process_forks(u64 *ctx)
{
	follow_fork(ctx, &settings.whom);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int process_exits(u64 *ctx)
{
	forget_exit(ctx);
	return 0;
}
