"""`ipctune trace`: what the programs of this machine do with IPC, live, by eBPF."""

from typing import Any

import click

from ipctune.cli.live import CONTEXT, EPILOG, live_options, watch

__all__ = ["command"]


@click.group("trace", epilog=EPILOG, context_settings=CONTEXT)
def command() -> None:
    """Watch live what programs do with IPC, at a cost that is shown.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """


@command.command("latency", epilog=EPILOG, context_settings=CONTEXT)
@live_options
@click.option("--syscall", "calls", multiple=True, help="This call alone; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-latency.schema.json).")
def latency(calls: tuple[str, ...], **asked: Any) -> int:
    """Say how long each system call of IPC takes, by process.

    read, write and their like count on pipes, FIFOs and sockets alone; send and recv, System V and
    POSIX IPC, futex, splice, poll, epoll and io_uring_enter always. `asleep` is what of the time a
    thread slept in the call, for the other side to send or to make room. Errors are shown by errno.
    Sums are made in the kernel: nothing is sent here for each call, and nothing is sampled.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF; without
             them it says less, from /proc alone.
    """
    from ipctune.report.trace import render_latencies
    from ipctune.trace.calls import chosen
    from ipctune.trace.latency import Watcher, between
    from ipctune.trace.sampled import Sampled, between_samples

    asked_for = chosen(calls)
    sampled = (lambda whom: Sampled(whom, asked_for), between_samples)
    return watch(lambda whom: Watcher(whom, asked_for), between, render_latencies, asked, without=sampled)


@command.command("wakeups", epilog=EPILOG, context_settings=CONTEXT)
@live_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-wakeups.schema.json).")
def wakeups(**asked: Any) -> int:
    """Say what a thread waits for from when it is woken until it runs.

    Either its vCPU was idle and had to wake up, which is the hypervisor's part, or another thread
    ran there: the run queue. By process and by vCPU, with the share that was woken from another vCPU.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF; without
             them it says less, from /proc alone.
    """
    from ipctune.report.trace import render_wakeups
    from ipctune.trace.sampled import Delays, between_delays
    from ipctune.trace.wakeups import Watcher, between

    return watch(Watcher, between, render_wakeups, asked, without=(Delays, between_delays))


@command.command("pipes", epilog=EPILOG, context_settings=CONTEXT)
@live_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-pipes.schema.json).")
def pipes(**asked: Any) -> int:
    """Say how much goes through each pipe, socket and queue, by process and end.

    Messages are calls that moved something. `full` is how full a pipe was after them, `asleep` what
    of the time a process slept in these calls: who sends sleeps for room, who receives for something
    to come. `>` sends, `<` receives. Both ends of a pipe stand together; those of a socket are two.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """
    from ipctune.report.trace import render_flows
    from ipctune.trace.pipes import Watcher, between
    from ipctune.trace.sampled import Totals, between_totals

    return watch(Watcher, between, render_flows, asked, without=(Totals, between_totals))


@command.command("futex", epilog=EPILOG, context_settings=CONTEXT)
@live_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-futex.schema.json).")
def futex(**asked: Any) -> int:
    """Say which locks are waited for, how long, and who wakes in vain.

    A mutex, condition or semaphore that nobody contends makes no system call, and is not seen. `to run`
    is what passes from being woken to running, `most` how many waited at once, EAGAIN waits that came
    too late to sleep, `in vain` wakes that woke nobody. Who waits by spinning is found by looking at
    the vCPUs 199 times a second, and told from work by the instruction that spin-waits are written with.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF. Names of
             functions take ipctune[trace].
    """
    from ipctune.report.trace import render_locks
    from ipctune.trace.futex import Watcher, between
    from ipctune.trace.sampled import SampledLocks, between_locks

    return watch(Watcher, between, render_locks, asked, without=(SampledLocks, between_locks))
