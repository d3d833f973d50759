/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where programs are when their vCPU's clock is looked at, in user space alone: whoever waits for a lock by spinning is
 * always at the same few bytes. */
#include "whom.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { PLACES = 16384, LINE = 16 };

const volatile struct {
	struct whom whom;
} settings SEC(".rodata.settings") = {};

/* include/uapi/linux/bpf_perf_event.h: the registers of the architecture come first. */
#if defined(__TARGET_ARCH_x86)
enum { INSTRUCTION = 16, MODE = 17 }; /* ip, cs: arch/x86/include/uapi/asm/ptrace.h */
#define IN_USER_SPACE(mode) (((mode) & 3) == 3)
#else
enum { INSTRUCTION = 32, MODE = 33 }; /* pc, pstate: arch/arm64/include/uapi/asm/ptrace.h */
#define IN_USER_SPACE(mode) (((mode) & 0xf) == 0)
#endif

struct place {
	u64 line; /* of code: the address by LINE */
	u32 process, unused;
};

struct looks {
	u64 count;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PLACES);
	__type(key, struct place);
	__type(value, struct looks);
} sums SEC(".maps");

SEC("perf_event")
int look(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 at = ctx[INSTRUCTION], mode = ctx[MODE];
	struct place place = {};
	struct looks *found, new = {.count = 1};

	if (!is_meant(task, &settings.whom))
		return 0;
	if (IN_USER_SPACE(mode)) /* otherwise 0: in the kernel nobody spins of his own will */
		place.line = at / LINE;
	place.process = task->tgid;
	found = bpf_map_lookup_elem(&sums, &place);
	if (found) {
		__sync_fetch_and_add(&found->count, 1);
		return 0;
	}
	bpf_get_current_comm(new.comm, sizeof new.comm);
	if (bpf_map_update_elem(&sums, &place, &new, BPF_NOEXIST))
		lose();
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
