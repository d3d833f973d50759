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

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct waking);
} present SEC(".maps");

struct key {
	u32 process;
	u16 vcpu;
	u8 way, across; /* whether the waker was on another vCPU */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES);
	__type(key, struct key);
	__type(value, struct sum);
} sums SEC(".maps");

SEC("tp_btf/sched_waking")
int is_woken(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct waking *waking;

	if (!is_meant(task, &settings.whom))
		return 0;
	waking = bpf_task_storage_get(&present, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!waking) {
		lose();
		return 0;
	}
	if (waking->since_ns) /* woken twice before it ran */
		return 0;
	waking->from = bpf_get_smp_processor_id();
	waking->since_ns = bpf_ktime_get_ns();
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

SEC("tp_btf/sched_switch")
int comes_to_run(u64 *ctx)
{
	struct task_struct *leaves = (struct task_struct *)ctx[1], *comes = (struct task_struct *)ctx[2];
	struct waking *waking = bpf_task_storage_get(&present, comes, 0, 0);
	u32 vcpu = bpf_get_smp_processor_id();
	struct key key = {};
	struct sum *sum;
	u64 ns;

	if (!waking || !waking->since_ns)
		return 0;
	ns = bpf_ktime_get_ns() - waking->since_ns;
	waking->since_ns = 0;
	key.process = comes->tgid;
	key.vcpu = (u16)vcpu;
	key.way = leaves->pid ? RUN_QUEUE : IDLE_VCPU;
	key.across = vcpu != waking->from;
	sum = sum_of(&key, comes);
	if (!sum) {
		lose();
		return 0;
	}
	add(sum, ns);
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
