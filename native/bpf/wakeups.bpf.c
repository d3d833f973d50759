/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a thread waits for from the moment it is woken until it runs: an idle vCPU that has to wake up (the hypervisor's
 * part), or others before it in the run queue. The clock starts at sched_waking: sched_wakeup comes after the interrupt
 * has arrived, and would miss its way. */
#include "sums.h"
#include "whom.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct {
	struct whom whom;
} settings SEC(".rodata.settings") = {};

enum way { IDLE_VCPU, RUN_QUEUE };

struct waking {
	u64 since_ns;
	u32 from; /* vCPU of the waker */
};

/* By thread. Made beforehand, as all that is written here: these tracepoints hold locks of the scheduler. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * PROCESSES);
	__type(key, u32);
	__type(value, struct waking);
} pending SEC(".maps");

struct key {
	u32 process;
	u16 vcpu;
	u8 way, across; /* whether the waker was on another vCPU */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES);
	__type(key, struct key);
	__type(value, struct sum);
} sums SEC(".maps");

/* A second one before the thread ran can't have been for the same sleep: the later one counts. */
SEC("tp_btf/sched_waking")
int is_woken(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct waking waking = {};
	u32 thread = task->pid;

	if (!is_meant(task, &settings.whom))
		return 0;
	waking.from = bpf_get_smp_processor_id();
	waking.since_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&pending, &thread, &waking, BPF_ANY))
		lose();
	return 0;
}

static struct sum *sum_of(struct key *key, struct task_struct *task)
{
	struct sum *sum = bpf_map_lookup_elem(&sums, key);

	if (sum)
		return sum;
	bpf_map_update_elem(&sums, key, &nothing, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&sums, key);
	if (sum)
		bpf_probe_read_kernel(sum->comm, sizeof sum->comm, __builtin_preserve_access_index(&task->comm));
	return sum;
}

static void count_wait(struct task_struct *comes, struct waking *waking, int from_idle)
{
	u64 ns = bpf_ktime_get_ns() - waking->since_ns;
	u32 vcpu = bpf_get_smp_processor_id();
	struct key key = {};
	struct sum *sum;

	key.process = comes->tgid;
	key.vcpu = (u16)vcpu;
	key.way = from_idle ? IDLE_VCPU : RUN_QUEUE;
	key.across = vcpu != waking->from;
	sum = sum_of(&key, comes);
	if (sum)
		add(sum, ns);
	else
		lose();
}

/* Who leaves while it could go on was woken before it had left: no wait came of it. */
SEC("tp_btf/sched_switch")
int comes_to_run(u64 *ctx)
{
	int preempted = (int)ctx[0];
	struct task_struct *leaves = (struct task_struct *)ctx[1], *comes = (struct task_struct *)ctx[2];
	u32 left = leaves->pid, thread = comes->pid;
	struct waking *waking;

	if (left && (preempted || !leaves->__state))
		bpf_map_delete_elem(&pending, &left);
	if (!thread)
		return 0;
	waking = bpf_map_lookup_elem(&pending, &thread);
	if (!waking)
		return 0;
	count_wait(comes, waking, !left);
	bpf_map_delete_elem(&pending, &thread);
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
