"""One look at everything: who talks to whom, what each waits for, locks, spins, steal, and what that means in words."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ipctune.trace import futex, graph, pipes, wakeups
from ipctune.trace.model import Edge, Flow, Flows, Locks, Overview, Own, Talk, Waits, Wakeups, WokenProcess
from ipctune.trace.whom import Whom

__all__ = ["Counted", "Watcher", "between", "findings"]

_FULL, _ASLEEP, _STEAL, _MANY, _WAKES = 0.8, 0.5, 0.05, 3, 100.0
"""What is worth a word: a pipe so full, a share of time, of a vCPU, threads that wait at once, wake-ups a second."""


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was counted since the start, at a moment."""

    graph: graph.Counted
    wakes: wakeups.Counted
    locks: futex.Counted


class Watcher:
    """Three programs at once, and one that looks at the vCPUs."""

    def __init__(self, whom: Whom) -> None:
        self._held = ExitStack()
        self._graph, self._wakes, self._locks = graph.Watcher(whom), wakeups.Watcher(whom), futex.Watcher(whom)

    def __enter__(self) -> Self:
        with self._held as held:
            for watcher in (self._graph, self._wakes, self._locks):
                held.enter_context(watcher)
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def follow(self) -> bool:
        """Whether somebody is left."""
        left = [watcher.follow() for watcher in (self._graph, self._wakes, self._locks)]
        return all(left)

    def read(self) -> Counted:
        """What was counted so far."""
        return Counted(self._graph.read(), self._wakes.read(), self._locks.read())


def between(before: Counted, after: Counted) -> Overview:
    """What was counted from one moment to another; the most messages first."""
    talks = graph.between(before.graph, after.graph)
    flows = pipes.between(before.graph.flows, after.graph.flows)
    woken, locks = wakeups.between(before.wakes, after.wakes), futex.between(before.locks, after.locks)
    waits = {one.pid: one for one in woken.processes}
    names = {node.pid: node.comm for node in talks.nodes}
    rows = tuple(_talk(edge, names, flows, waits, talks.seconds) for edge in talks.edges)
    idle, queue = (sum(getattr(one, way).ns for one in woken.vcpus) for way in ("idle_vcpu", "run_queue"))
    steal = {at.vcpu: at.steal_ns / woken.seconds / 1e9 for at in woken.vcpus}
    parts = (talks.own, woken.own, locks.own)
    took = Own(
        sum(one.program_runs for one in parts),
        sum(one.program_ns for one in parts),
        parts[0].cpu_ns,
        parts[0].resident_bytes,
    )
    share = idle / (idle + queue) if idle + queue else None
    told = tuple(findings(rows, woken, locks, steal))
    lost = talks.lost + woken.lost + locks.lost
    return Overview(talks.seconds, rows, locks.locks, locks.spins, steal, share, told, lost, took, locks.missing)


def _talk(
    edge: Edge, names: Mapping[int, str], flows: Flows, waits: Mapping[int, WokenProcess], seconds: float
) -> Talk:
    same = [flow for flow in flows.flows if flow.kind == edge.kind]
    both = [flow for flow in same if _holds(flow, edge.source) and _holds(flow, edge.target)]
    fills = [end.fill for flow in both for end in flow.ends if end.fill is not None]
    asleep = {
        sends: sum(end.asleep_ns for flow in both for end in flow.ends if end.sends is sends and end.pid == pid)
        for sends, pid in ((True, edge.source), (False, edge.target))
    }
    target = waits.get(edge.target)
    return Talk(
        source=edge.source,
        source_comm=names.get(edge.source, "?"),
        target=edge.target,
        target_comm=names.get(edge.target, "?"),
        kind=edge.kind,
        messages_s=edge.messages / seconds,
        bytes_s=edge.bytes / seconds,
        wakes_s=edge.wakes / seconds,
        across=edge.across / edge.wakes if edge.wakes else None,
        wake_p99_ns=_longer(target.idle_vcpu, target.run_queue) if target else None,
        source_asleep=asleep[True] / seconds / 1e9,
        target_asleep=asleep[False] / seconds / 1e9,
        fill=max(fills, default=None),
    )


def _holds(flow: Flow, pid: int) -> bool:
    return any(end.pid == pid for end in flow.ends)


def _longer(one: Waits, other: Waits) -> float | None:
    return max((p99 for p99 in (one.p99_ns, other.p99_ns) if p99 is not None), default=None)


def findings(talks: tuple[Talk, ...], woken: Wakeups, locks: Locks, steal: Mapping[int, float]) -> Iterator[str]:
    """What that means, in words, the most urgent first."""
    for vcpu, share in steal.items():
        if share >= _STEAL:
            yield f"vCPU {vcpu} loses {share:.0%} to the hypervisor (steal): nothing in here helps; ask the provider"
    for spin in locks.spins:
        yield f"{spin.comm} {spin.pid} spins for {spin.vcpu:.2f} vCPU at {spin.name}"
    for talk in talks:
        if talk.fill is not None and talk.fill >= _FULL and talk.source_asleep >= _ASLEEP:
            yield (
                f"the {talk.kind} from {talk.source_comm} {talk.source} is full and it sleeps {talk.source_asleep:.0%} "
                f"for room: {talk.target_comm} {talk.target} is the slower one, or the {talk.kind} too small"
            )
    for lock in locks.locks:
        if lock.most_waiting >= _MANY and lock.asleep_ns / locks.seconds >= _ASLEEP * 1e9:
            yield f"{lock.comm} {lock.pid}: up to {lock.most_waiting} threads wait at once for the lock at {lock.name}"
    for one in woken.processes:
        count = one.idle_vcpu.count + one.run_queue.count
        total = one.idle_vcpu.ns + one.run_queue.ns
        if count / woken.seconds >= _WAKES and total and one.idle_vcpu.ns >= _ASLEEP * total:
            each = one.idle_vcpu.ns / one.idle_vcpu.count / 1000
            yield (
                f"{one.comm} {one.pid} waits {each:.0f} µs a wake-up for an idle vCPU: "
                f"ipctune tune --attach {one.pid} says what helps"
            )
