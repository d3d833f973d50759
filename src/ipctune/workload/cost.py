"""What a block cost: CPU of the workload, polling, halts, and what others and the hypervisor took meanwhile."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ipctune.bench.block import FOREIGN_BOUND, FOREIGN_SLACK_NS, STEAL_BOUND, STEAL_SLACK_NS
from ipctune.host.polltime import halts, poll_us
from ipctune.workload import tree

__all__ = ["Cost", "Counters", "Disturbed", "spoiled"]

_TICK_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Costs of `seconds` of wall time. CPU is that of a process and all its descendants; None: nothing tells."""

    seconds: float
    cpu_ns: int
    poll_ns: int | None
    halts: int | None
    steal_ns: int
    foreign_ns: int


class Counters:
    """The counters at the start of a block. Looking at them costs CPU too, which belongs to no block."""

    def __init__(self) -> None:
        self._poll, self._halts = poll_us(), halts()
        self._tree = tree.cpu_ns()
        self._busy, self._steal = _stat()
        self._own = time.process_time_ns()
        self._start = time.monotonic()

    def cost(self) -> Cost:
        """What was spent since."""
        seconds = time.monotonic() - self._start
        own = time.process_time_ns() - self._own
        busy, steal = _stat()
        cpu = own + tree.cpu_ns() - self._tree
        poll = poll_us()
        return Cost(
            seconds=seconds,
            cpu_ns=max(0, cpu),
            poll_ns=None if poll is None or self._poll is None else (poll - self._poll) * 1000,
            halts=_grown(self._halts, halts()),
            steal_ns=max(0, steal - self._steal),
            foreign_ns=max(0, busy - self._busy - cpu),
        )


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _stat() -> tuple[int, int]:
    """Busy time and steal of all vCPUs in ns, in steps of 10 ms (proc_stat(5))."""
    times = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = times
    return (user + nice + system + irq + softirq) * _TICK_NS, steal * _TICK_NS


class Disturbed(Protocol):
    """What others took while a block ran for `seconds`."""

    @property
    def seconds(self) -> float: ...

    @property
    def steal_ns(self) -> int: ...

    @property
    def foreign_ns(self) -> int: ...


def spoiled(cost: Disturbed) -> str | None:
    """Why others spoiled the block, or None; the bounds are those of the built-in pair's blocks (`bench.block`)."""
    wall = cost.seconds * 1e9
    if cost.steal_ns > STEAL_BOUND * wall + STEAL_SLACK_NS:
        return f"steal {cost.steal_ns / wall:.0%}"
    if cost.foreign_ns > FOREIGN_BOUND * wall + FOREIGN_SLACK_NS:
        return f"others used {cost.foreign_ns / wall:.2f} vCPU"
    return None
