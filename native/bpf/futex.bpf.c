/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who waits for a futex, how long, and who wakes whom: by process and address of the lock. */
#include "sums.h"
#include "whom.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	NUMBERS = 512, /* of system calls */
	DEPTH = 16, /* of a stack */
	/* What a call is, by its number. */
	ANY_OPERATION = 1, /* futex(2): the second argument says */
	ONLY_WAIT, /* futex_wait(2) */
	ONLY_WAKE, /* futex_wake(2) */
};

/* include/uapi/linux/futex.h; the other bits say whose address it is and which clock. */
enum { FUTEX_CMD_MASK = 0x7f };
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI };
enum { FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2 };
enum { EINTR = 4, EAGAIN = 11, ETIMEDOUT = 110 };

const volatile struct {
	struct whom whom;
	u8 kinds[NUMBERS];
} settings SEC(".rodata.settings") = {};

struct key {
	u64 address;
	u32 process, unused;
};

struct call {
	struct key key;
	u64 left_ns, woken_ns; /* its vCPU, and by whoever wakes it: moments of its first sleep */
	u64 slept_ns, to_run_ns; /* until it was woken, and from then until it ran */
	u32 waits, wakes, hands_over, ran;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} present SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, PROCESSES);
	__uint(key_size, sizeof(u32));
	__uint(value_size, DEPTH * sizeof(u64));
} stacks SEC(".maps");

struct lock {
	struct sum waits; /* those that slept, and what they slept */
	u64 unslept, timed_out, interrupted; /* EAGAIN: the value had changed already */
	u64 wakes, woken, in_vain; /* calls; threads that they woke; calls that woke none */
	u64 to_run_ns; /* from being woken to running, in all */
	u32 waiting, most_waiting;
	int stack; /* of the longest wait; negative: none */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES);
	__type(key, struct key);
	__type(value, struct lock);
} sums SEC(".maps");

static const struct lock unused = {.stack = -1};

static struct lock *lock_of(struct key *key)
{
	struct lock *lock = bpf_map_lookup_elem(&sums, key);

	if (lock)
		return lock;
	bpf_map_update_elem(&sums, key, &unused, BPF_NOEXIST);
	lock = bpf_map_lookup_elem(&sums, key);
	if (lock)
		bpf_get_current_comm(lock->waits.comm, sizeof lock->waits.comm);
	else
		lose();
	return lock;
}

static int operation_waits(u32 operation)
{
	return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET || operation == FUTEX_WAIT_REQUEUE_PI ||
		operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
}

static int operation_wakes(u32 operation)
{
	return operation == FUTEX_WAKE || operation == FUTEX_WAKE_BITSET || operation == FUTEX_WAKE_OP ||
		operation == FUTEX_REQUEUE || operation == FUTEX_CMP_REQUEUE || operation == FUTEX_CMP_REQUEUE_PI ||
		operation == FUTEX_UNLOCK_PI;
}

static void begin_wait(struct call *call)
{
	struct lock *lock = lock_of(&call->key);
	u32 waiting;

	if (!lock)
		return;
	waiting = __sync_fetch_and_add(&lock->waiting, 1) + 1;
	if (waiting > lock->most_waiting)
		lock->most_waiting = waiting;
}

SEC("tp_btf/sys_enter")
int call_begins(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u64 number = ctx[1];
	struct task_struct *task = bpf_get_current_task_btf();
	u32 operation, waits, wakes;
	struct call *call;
	u8 kind;

	if (number >= NUMBERS)
		return 0;
	kind = settings.kinds[number];
	if (!kind || !is_meant(task, &settings.whom))
		return 0;
	operation = SECOND_ARGUMENT(regs) & FUTEX_CMD_MASK;
	waits = kind == ONLY_WAIT || (kind == ANY_OPERATION && operation_waits(operation));
	wakes = kind == ONLY_WAKE || (kind == ANY_OPERATION && operation_wakes(operation));
	if (!waits && !wakes)
		return 0;
	call = bpf_task_storage_get(&present, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose();
		return 0;
	}
	call->key.address = FIRST_ARGUMENT(regs);
	call->key.process = task->tgid;
	call->left_ns = call->woken_ns = call->slept_ns = call->to_run_ns = 0;
	call->ran = 0;
	call->waits = waits;
	call->wakes = wakes;
	call->hands_over = kind == ANY_OPERATION && operation == FUTEX_UNLOCK_PI;
	if (waits)
		begin_wait(call);
	return 0;
}

static void end_wait(u64 *ctx, struct lock *lock, struct call *call, long result)
{
	__sync_fetch_and_add(&lock->waiting, -1);
	if (result == -EAGAIN)
		__sync_fetch_and_add(&lock->unslept, 1);
	else if (result == -ETIMEDOUT)
		__sync_fetch_and_add(&lock->timed_out, 1);
	else if (result < 0)
		__sync_fetch_and_add(&lock->interrupted, 1);
	if (!call->ran)
		return;
	if (call->slept_ns > lock->waits.most_ns)
		lock->stack = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	__sync_fetch_and_add(&lock->to_run_ns, call->to_run_ns);
	add(&lock->waits, call->slept_ns);
}

SEC("tp_btf/sys_exit")
int call_ends(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *call = bpf_task_storage_get(&present, task, 0, 0);
	long result = (long)ctx[1];
	struct lock *lock;

	if (!call || !(call->waits || call->wakes))
		return 0;
	lock = lock_of(&call->key);
	if (lock && call->waits)
		end_wait(ctx, lock, call, result);
	if (lock && call->wakes) {
		__sync_fetch_and_add(&lock->wakes, 1);
		if (call->hands_over && !result) /* in the kernel, to somebody who waits */
			result = 1;
		if (result > 0)
			__sync_fetch_and_add(&lock->woken, result);
		else if (!result)
			__sync_fetch_and_add(&lock->in_vain, 1);
	}
	call->waits = call->wakes = 0;
	return 0;
}

SEC("tp_btf/sched_waking")
int is_woken(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct call *call = bpf_task_storage_get(&present, task, 0, 0);

	if (call && call->waits && call->left_ns && !call->woken_ns)
		call->woken_ns = bpf_ktime_get_ns();
	return 0;
}

static void comes_back(struct call *call, u64 now)
{
	u64 woken_ns = call->woken_ns ? call->woken_ns : now;

	call->slept_ns = woken_ns - call->left_ns;
	call->to_run_ns = now - woken_ns;
	call->ran = 1;
}

SEC("tp_btf/sched_switch")
int task_changes(u64 *ctx)
{
	int preempted = (int)ctx[0];
	struct task_struct *leaves = (struct task_struct *)ctx[1], *comes = (struct task_struct *)ctx[2];
	struct call *call = bpf_task_storage_get(&present, leaves, 0, 0);
	u64 now = bpf_ktime_get_ns();

	if (call && call->waits && !call->left_ns && !preempted && leaves->__state)
		call->left_ns = now;
	call = bpf_task_storage_get(&present, comes, 0, 0);
	if (call && call->waits && call->left_ns && !call->ran)
		comes_back(call, now);
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
