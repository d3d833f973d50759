/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who talks to whom: what goes through each object, and whom a process wakes while it is in a call that sends. */
#include "flows.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct waking {
	u32 from, vcpu;
	u32 talk;
};

/* By thread. Made beforehand, as all that is written here: these tracepoints hold locks of the scheduler. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * PROCESSES);
	__type(key, u32);
	__type(value, struct waking);
} wakings SEC(".maps");

struct pair {
	u32 from, to;
	u32 talk, unused;
};

struct wakes {
	u64 count, across;
	char from_comm[16], to_comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES);
	__type(key, struct pair);
	__type(value, struct wakes);
} wakes SEC(".maps");

static void remember_names(struct pair *pair, struct task_struct *from, struct task_struct *to)
{
	struct wakes new = {};

	if (bpf_map_lookup_elem(&wakes, pair))
		return;
	READ_KERNEL(new.from_comm, from, comm);
	READ_KERNEL(new.to_comm, to, comm);
	if (bpf_map_update_elem(&wakes, pair, &new, BPF_NOEXIST))
		lose();
}

SEC("tp_btf/sched_waking")
int wakes_another(u64 *ctx)
{
	struct task_struct *from = bpf_get_current_task_btf(), *to = (struct task_struct *)ctx[0];
	struct call *call = bpf_task_storage_get(&present, from, 0, 0);
	struct waking waking = {};
	struct pair pair = {};
	u32 thread = to->pid;

	if (!call || !call->kind || from->tgid == to->tgid)
		return 0;
	pair.from = waking.from = from->tgid;
	pair.to = to->tgid;
	pair.talk = waking.talk = call->key.talk;
	waking.vcpu = bpf_get_smp_processor_id();
	remember_names(&pair, from, to);
	if (bpf_map_update_elem(&wakings, &thread, &waking, BPF_ANY))
		lose();
	return 0;
}

static void count_wake(struct task_struct *to, struct waking *waking)
{
	struct pair pair = {};
	struct wakes *found;

	pair.from = waking->from;
	pair.to = to->tgid;
	pair.talk = waking->talk;
	found = bpf_map_lookup_elem(&wakes, &pair);
	if (!found)
		return;
	__sync_fetch_and_add(&found->count, 1);
	if (waking->vcpu != bpf_get_smp_processor_id())
		__sync_fetch_and_add(&found->across, 1);
}

/* Who leaves while it could go on was woken before it had left. */
SEC("tp_btf/sched_switch")
int comes_to_run(u64 *ctx)
{
	int preempted = (int)ctx[0];
	struct task_struct *leaves = (struct task_struct *)ctx[1], *to = (struct task_struct *)ctx[2];
	u32 left = leaves->pid, thread = to->pid;
	struct waking *waking;

	if (left && (preempted || !leaves->__state))
		bpf_map_delete_elem(&wakings, &left);
	waking = thread ? bpf_map_lookup_elem(&wakings, &thread) : 0;
	if (!waking)
		return 0;
	count_wake(to, waking);
	bpf_map_delete_elem(&wakings, &thread);
	return 0;
}
