"""What woken threads wait for until they run, counted in the kernel by native/bpf/wakeups.bpf.c."""

import os
import re
import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ipctune.trace.model import Waits, Wakeups, WokenProcess, WokenVcpu
from ipctune.trace.session import Moment, Session, Sum, grown, own, settled
from ipctune.trace.slots import SLOTS, quantile
from ipctune.trace.whom import Whom

__all__ = ["Counted", "Watcher", "between"]

_KEY = struct.Struct("=IHBB")
_IDLE_VCPU, _RUN_QUEUE = 0, 1


@dataclass(frozen=True, slots=True)
class _Key:
    process: int
    vcpu: int
    way: int
    across: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was counted since the start, at a moment."""

    now: Moment
    sums: dict[_Key, Sum]
    steal_ns: dict[int, int]


class Watcher(Session):
    """Counts from when the context begins until it ends; those who are woken are meant."""

    def __init__(self, whom: Whom) -> None:
        super().__init__("wakeups", whom)
        self._kept: dict[_Key, Sum] = {}

    def read(self) -> Counted:
        """What was counted so far."""
        sums = self.sums(_read, _fold, self._kept)
        return Counted(self.moment(), sums, _steal_ns())


def between(before: Counted, after: Counted) -> Wakeups:
    """What was counted from one moment to another; who waited the most comes first."""
    had = settled(before.sums, after.sums, _fold)
    new = {key: grown(had.get(key), now) for key, now in after.sums.items()}
    new = {key: one for key, one in new.items() if one.count}
    by_process: dict[int, dict[_Key, Sum]] = defaultdict(dict)
    by_vcpu: dict[int, dict[_Key, Sum]] = defaultdict(dict)
    for key, one in new.items():
        by_process[key.process][key] = one
        by_vcpu[key.vcpu][key] = one
    processes = [WokenProcess(pid, next(iter(some.values())).comm, *_told(some)) for pid, some in by_process.items()]
    processes.sort(key=lambda one: one.idle_vcpu.ns + one.run_queue.ns, reverse=True)
    steal = {vcpu: ns - before.steal_ns.get(vcpu, ns) for vcpu, ns in after.steal_ns.items()}
    vcpus = [WokenVcpu(vcpu, *_told(some), steal.get(vcpu, 0)) for vcpu, some in sorted(by_vcpu.items())]
    return Wakeups(
        after.now.at - before.now.at,
        tuple(processes),
        tuple(vcpus),
        after.now.lost - before.now.lost,
        own(before.now, after.now),
        slots=tuple(map(sum, zip(*(one.slots for one in new.values()), strict=True))) or (0,) * SLOTS,
    )


def _read(key: bytes, value: bytes) -> tuple[_Key, Sum]:
    process, vcpu, way, across = _KEY.unpack(key)
    return _Key(process, vcpu, way, bool(across)), Sum.read(value)


def _fold(key: _Key) -> _Key:
    """Of processes whose sums were taken out of the table: all of them together."""
    return replace(key, process=0)


def _steal_ns() -> dict[int, int]:
    """By vCPU, since boot (proc_stat(5): the eighth number)."""
    found = {}
    for line in Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if re.fullmatch(r"cpu\d+", words[0] if words else "") and len(words) > 8:
            found[int(words[0][3:])] = int(words[8]) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    return found


def _told(sums: dict[_Key, Sum]) -> tuple[int, Waits, Waits]:
    """How many came from another vCPU; what waited for an idle vCPU, and in a run queue."""
    idle, queue = (_together(one for key, one in sums.items() if key.way == way) for way in (_IDLE_VCPU, _RUN_QUEUE))
    return sum(one.count for key, one in sums.items() if key.across), idle, queue


def _together(sums: Iterable[Sum]) -> Waits:
    count = ns = most = 0
    slots = [0] * SLOTS
    for one in sums:
        count, ns, most = count + one.count, ns + one.ns, max(most, one.most_ns)
        slots = [a + b for a, b in zip(slots, one.slots, strict=True)]
    return Waits(count, ns, most, quantile(slots, 0.5), quantile(slots, 0.99))
