"""The screens of `ipctune trace`: one line a process and call, the most time first; and what watching took."""

import textwrap
from collections.abc import Iterator, Sequence

from ipctune.report.style import PLAIN, Style
from ipctune.trace.model import Called, End, Flows, Latencies, Lock, Locks, Own, Waits, Wakeups

__all__ = [
    "amount",
    "cost_lines",
    "more",
    "rate",
    "render_flows",
    "render_latencies",
    "render_locks",
    "render_wakeups",
    "short",
    "unseen",
]

WIDTH = 80
_NAMES = f"{'process':<22} {'call':<15} {'a second':>9} {'p50':>7} {'p99':>7} {'asleep':>6}  errors"


def render_latencies(found: Latencies, style: Style = PLAIN, rows: int | None = None) -> str:
    """At most `rows` calls, all without a number; times are in the unit that suits each."""
    calls = sum(row.count for row in found.calls)
    failed = sum(row.failed for row in found.calls)
    counted = f"{calls:,} in {found.seconds:.1f} s, {failed:,} of them with an errno"
    sampled = f"threads that sleep in one, in {found.seconds:.1f} s"
    lines = [style.bold(f"system calls of IPC: {sampled if found.missing and not found.own.program_runs else counted}")]
    if found.calls:
        lines += [style.dim(_NAMES), *(_row(row, found.seconds) for row in found.calls[:rows])]
    lines += more(found.calls, rows, style) + unseen(found.lost, "calls", found.missing, style)
    return "\n".join([*lines, *map(style.dim, cost_lines(found.own, found.seconds, calls))])


_WOKEN = (
    f"{'process':<22} {'a second':>8} {'across':>6}  {'idle vCPU p50':>13} {'p99':>6} {'run queue p50':>13} {'p99':>6}"
)


def render_wakeups(found: Wakeups, style: Style = PLAIN, rows: int | None = None) -> str:
    """At most `rows` processes, all without a number; then the vCPUs."""
    count = sum(one.idle_vcpu.count + one.run_queue.count for one in found.vcpus)
    lines = [style.bold(f"wake-ups: {count:,} in {found.seconds:.1f} s; from being woken to running")]
    if found.processes:
        lines.append(style.dim(_WOKEN))
    for one in found.processes[:rows]:
        lines.append(_woken(f"{one.comm[:15]} {one.pid}", one.across, one.idle_vcpu, one.run_queue, found.seconds))
    lines += more(found.processes, rows, style)
    if found.vcpus:
        lines.append(style.dim(_WOKEN.replace("process", "vCPU   ", 1) + "  steal"))
    for at in found.vcpus:
        row = _woken(str(at.vcpu), at.across, at.idle_vcpu, at.run_queue, found.seconds)
        lines.append(f"{row}  {at.steal_ns / found.seconds / 1e7:.1f} %")
    lines += unseen(found.lost, "wake-ups", found.missing, style)
    return "\n".join([*lines, *map(style.dim, cost_lines(found.own, found.seconds, count))])


def _woken(who: str, across: int, idle: Waits, queue: Waits, seconds: float) -> str:
    count = idle.count + queue.count
    mean = short(queue.ns / queue.count) if queue.count and queue.p50_ns is None else short(queue.p50_ns)
    share = f"{100 * across / count:.0f} %" if count else "-"
    return (
        f"{who:<22} {rate(count / seconds):>8} {share:>6}  {short(idle.p50_ns):>13} {short(idle.p99_ns):>6} "
        f"{mean:>13} {short(queue.p99_ns):>6}"
    )


_MOVED = f"{'through':<18} {'process':<22} {'messages/s':>10} {'bytes/s':>8} {'mean':>7} {'full':>5} {'asleep':>6}"


def render_flows(found: Flows, style: Style = PLAIN, rows: int | None = None) -> str:
    """At most `rows` objects with their ends, all without a number; who sends comes first."""
    calls = sum(end.messages for flow in found.flows for end in flow.ends)
    lines = [style.bold(f"{len(found.flows)} pipes, sockets and queues that moved in {found.seconds:.1f} s")]
    lines += [style.dim(_MOVED)] if found.flows else []
    for flow in found.flows[:rows]:
        for at, end in enumerate(flow.ends):
            through = f"{flow.kind} {flow.ident}" if not at else ""
            lines.append(_moved(through, end, found.seconds))
    lines += more(found.flows, rows, style) + unseen(found.lost, "calls", found.missing, style)
    return "\n".join([*lines, *map(style.dim, cost_lines(found.own, found.seconds, calls))])


def _moved(through: str, end: End, seconds: float) -> str:
    who = f"{'>' if end.sends else '<'} {end.comm[:15]} {end.pid}"
    mean = amount(end.bytes / end.messages) if end.messages and end.bytes else "-"
    full = "-" if end.fill is None else f"{100 * end.fill:.0f} %"
    asleep = f"{min(100.0, end.asleep_ns / seconds / 1e7):.0f} %"
    return (
        f"{through:<18} {who:<22} {rate(end.messages / seconds):>10} {amount(end.bytes / seconds):>8} "
        f"{mean:>7} {full:>5} {asleep:>6}"
    )


_LOCKED = (
    f"{'process':<22} {'sleeps/s':>8} {'p50':>6} {'p99':>6} {'to run':>6} {'most':>4} {'EAGAIN':>7} {'wakes/s':>8} "
    f"{'in vain':>7}"
)


def render_locks(found: Locks, style: Style = PLAIN, rows: int | None = None) -> str:
    """At most `rows` futexes, all without a number, each with its place and the stack of its longest wait."""
    calls = sum(lock.slept + lock.unslept + lock.wakes for lock in found.locks)
    lines = [style.bold(f"{len(found.locks)} futexes in {found.seconds:.1f} s; to run: from being woken to running")]
    lines += [style.dim(_LOCKED)] if found.locks else []
    for lock in found.locks[:rows]:
        lines += _lock(lock, found.seconds, style)
    lines += more(found.locks, rows, style)
    for spin in found.spins:
        lines.append(
            style.yellow(f"{spin.comm[:15]} {spin.pid} spins: {spin.vcpu:.2f} vCPU")
            + style.dim(f" at {spin.name} ({spin.instruction})")
        )
    lines += unseen(found.lost, "calls", found.missing, style)
    return "\n".join([*lines, *map(style.dim, cost_lines(found.own, found.seconds, calls))])


def _lock(lock: Lock, seconds: float, style: Style) -> Iterator[str]:
    yield (
        f"{f'{lock.comm[:15]} {lock.pid}':<22} {rate(lock.slept / seconds):>8} {short(lock.p50_ns):>6} "
        f"{short(lock.p99_ns):>6} {short(lock.to_run_ns):>6} {lock.most_waiting:>4} {lock.unslept:>7,} "
        f"{rate(lock.wakes / seconds):>8} {lock.in_vain:>7,}"
    )
    stack = " < ".join(lock.stack)
    yield style.dim(f"   at {lock.name}" + (f": {stack}" if stack else ""))


def amount(count: float) -> str:
    """Bytes with three digits: `100`, `4.1K`, `1.2M`, `3.4G`, in powers of 1,024."""
    for unit, name in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if count >= unit:
            value = count / unit
            return f"{value:.{1 if value < 99.95 else 0}f}{name}"
    return f"{count:.0f}"


def more(all_of_them: Sequence[object], rows: int | None, style: Style) -> list[str]:
    """How many are not shown."""
    left = 0 if rows is None else len(all_of_them) - rows
    return [style.dim(f"and {left} more: --all, or --json")] if left > 0 else []


def unseen(lost: int, what: str, missing: Sequence[str], style: Style) -> list[str]:
    """What was lost, and what could not be watched."""
    lines = [style.red(f"lost: {lost:,} {what} found no room and are not in this")] if lost else []
    folded = [line for one in missing for line in textwrap.wrap(f"missing: {one}", WIDTH, subsequent_indent="  ")]
    return lines + [style.yellow(line) for line in folded]


def _row(row: Called, seconds: float) -> str:
    who = f"{row.comm[:15]} {row.pid}"
    errors = " ".join(f"{name} {count:,}" for name, count in sorted(row.errors.items(), key=_most))
    asleep = f"{100 * row.asleep_ns / (row.ns if row.count else seconds * 1e9):.0f} %" if row.ns else "-"
    often = rate(row.count / seconds) if row.count else "-"
    line = f"{who:<22} {row.call:<15} {often:>9} {short(row.p50_ns):>7} {short(row.p99_ns):>7}"
    return f"{line} {asleep:>6}  {errors}".rstrip()


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def rate(value: float) -> str:
    """A number a second: `1,234`, `2.0`."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def short(ns: float | None) -> str:
    """Three digits and a unit in six characters: `850ns`, `4.21us`, `1.20ms`."""
    if ns is None:
        return "-"
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= unit * 0.9995:
            value = ns / unit
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{name}"
    return f"{ns:.0f}ns"


def cost_lines(own: Own, seconds: float, calls: int) -> Iterator[str]:
    """What watching took."""
    each = f", {own.program_ns / calls:.0f} ns for each call counted" if calls and own.program_ns else ""
    if not own.program_runs:
        yield f"cost: {own.cpu_ns / seconds / 1e9:.3f} vCPU and {own.resident_bytes >> 20} MiB of this process"
        return
    programs = f"{own.program_ns / seconds / 1e9:.4f} vCPU in the kernel{each}"
    yield f"cost: {programs}; {own.cpu_ns / seconds / 1e9:.3f} vCPU and {own.resident_bytes >> 20} MiB of this process"
    yield "Every system call of every program takes a little longer while this runs, watched or not."
