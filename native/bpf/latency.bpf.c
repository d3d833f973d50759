/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How long each system call of IPC takes, by process: in all, and how much of that the thread slept. Everything is
 * added up here; user space reads sums. */
#include "sums.h"
#include "talk.h"
#include "whom.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	NUMBERS = 512, /* of system calls */
	ANY_DESCRIPTOR = 0x80, /* beside the kind: whatever the first argument is */
	ERRNO_MOST = 4095,
};

/* Set before it is loaded; a section of its own, so that it is all there is in its map. */
const volatile struct {
	struct whom whom;
	u8 kinds[NUMBERS];
} settings SEC(".rodata.settings") = {};

struct call {
	u64 since_ns, asleep_since_ns, asleep_ns;
	u32 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} present SEC(".maps");

struct key {
	u32 process, kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES);
	__type(key, struct key);
	__type(value, struct sum);
} sums SEC(".maps");

struct failure {
	u32 process;
	u16 kind, number;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES);
	__type(key, struct failure);
	__type(value, u64);
} failures SEC(".maps");

static int talks(struct task_struct *task, u32 fd)
{
	struct file *file = file_of(task, fd);

	return file && talk_of(file) != NO_TALK;
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
	if (!(kind & ANY_DESCRIPTOR) && !talks(task, (u32)FIRST_ARGUMENT(regs)))
		return 0;
	call = bpf_task_storage_get(&present, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose();
		return 0;
	}
	call->kind = kind & ~ANY_DESCRIPTOR;
	call->asleep_ns = call->asleep_since_ns = 0;
	call->since_ns = bpf_ktime_get_ns();
	return 0;
}

static struct sum *sum_of(u32 process, u32 kind)
{
	struct key key = {process, kind};
	struct sum *sum = bpf_map_lookup_elem(&sums, &key);

	if (sum)
		return sum;
	bpf_map_update_elem(&sums, &key, &nothing, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&sums, &key);
	if (sum)
		bpf_get_current_comm(sum->comm, sizeof sum->comm);
	return sum;
}

static void count_failure(u32 process, u32 kind, u32 number)
{
	struct failure key = {process, (u16)kind, (u16)number};
	u64 one = 1, *count = bpf_map_lookup_elem(&failures, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	else if (bpf_map_update_elem(&failures, &key, &one, BPF_NOEXIST))
		lose();
}

SEC("tp_btf/sys_exit")
int call_ends(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *call = bpf_task_storage_get(&present, task, 0, 0);
	long result = (long)ctx[1];
	u32 process, kind;
	struct sum *sum;
	u64 ns;

	if (!call || !call->kind)
		return 0;
	ns = bpf_ktime_get_ns() - call->since_ns;
	process = task->tgid;
	kind = call->kind;
	call->kind = 0;
	if (result < 0 && result >= -ERRNO_MOST)
		count_failure(process, kind, (u32)-result);
	sum = sum_of(process, kind);
	if (!sum) {
		lose();
		return 0;
	}
	__sync_fetch_and_add(&sum->asleep_ns, call->asleep_ns);
	add(sum, ns);
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
