"""One look at the counters of a machine: what has happened since boot, to be held against a second look.

Sources: proc_stat(5), proc_interrupts(5), proc_vmstat(5), proc_diskstats(5), sched-stats.rst, psi.rst and
cpuidle.rst in the kernel's documentation.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ipctune.host.look_tasks import Tasks, read_tasks
from ipctune.host.root import Root
from ipctune.host.text import cpu_list, fields, number

__all__ = ["Counters", "Disk", "Look", "look", "read_counters"]

TICKS = 8
"""user, nice, system, idle, iowait, irq, softirq, steal."""
_LARGE = 1 << 22  # /proc/interrupts and /proc/stat of machines with many vCPUs
_CPU = "/sys/devices/system/cpu"
_CPU_NAME = re.compile(r"cpu(\d{1,5})")
_IPIS = ("Rescheduling interrupts", "Function call interrupts")
"""How x86 and arm64 name the interrupts by which a vCPU is woken; since Linux 5.8 most are function calls."""
_NO_DISK = re.compile(r"(loop|ram|zram|sr|fd)\d+")
_RESOURCES = ("cpu", "memory", "io")


@dataclass(frozen=True, slots=True)
class Disk:
    """Counts of one disk; times in ms."""

    requests: int
    sectors: int
    request_ms: int
    busy_ms: int
    flushes: int | None


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts since boot, taken `at` (s). A missing one is None or absent from its mapping.

    `idle` has the entries and µs of halted states by vCPU, `pressure` the µs that some and all tasks stalled.
    """

    at: float
    ticks: Mapping[int, tuple[int, ...]]
    context_switches: int | None
    idle: Mapping[int, tuple[int, int]]
    ipis: Mapping[int, int]
    run_delay_ns: int | None
    vm: Mapping[str, int]
    pressure: Mapping[str, tuple[int, int | None]]
    disks: Mapping[str, Disk]


@dataclass(frozen=True, slots=True)
class Look:
    """Counters and tasks, read right after one another."""

    counters: Counters
    tasks: Tasks


def look(root: Root, at: float | None = None, *, first: bool = True) -> Look:
    """Read everything once. The counters lie inside: last in the `first` look, first in the second one.

    So what reading itself costs is not counted. `at` is the time in s, that of the monotonic clock by default.
    """
    if first:
        tasks = read_tasks(root)
        return Look(read_counters(root, at), tasks)
    return Look(read_counters(root, at), read_tasks(root))


def read_counters(root: Root, at: float | None = None) -> Counters:
    """The counters of the machine behind `root`; what is not there or makes no sense is left out."""
    stat = list(fields(root.text("/proc/stat", _LARGE)))
    return Counters(
        at=time.monotonic() if at is None else at,
        ticks=_ticks(stat),
        context_switches=next((number(row[1]) for row in stat if row[0] == "ctxt" and len(row) > 1), None),
        idle=_idle(root),
        ipis=_ipis(root.text("/proc/interrupts", _LARGE)),
        run_delay_ns=_run_delay(root.text("/proc/schedstat", _LARGE)),
        vm=_vm(root.text("/proc/vmstat")),
        pressure=_pressure(root),
        disks=_disks(root),
    )


def _ticks(rows: list[list[str]]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for row in rows:
        name = _CPU_NAME.fullmatch(row[0])
        known = [value for value in map(number, row[1 : TICKS + 1]) if value is not None]
        if name and len(known) == TICKS:
            found[int(name[1])] = tuple(known)
    return found


def _idle(root: Root) -> dict[int, tuple[int, int]]:
    """Entries and time of the states in which a vCPU halts, that is of all but POLL."""
    found: dict[int, tuple[int, int]] = {}
    for cpu in cpu_list(root.text(f"{_CPU}/online")):
        folder = f"{_CPU}/cpu{cpu}/cpuidle"
        for state in root.names(folder, "state[0-9]*"):
            entries, us = (number(root.text(f"{folder}/{state}/{name}")) for name in ("usage", "time"))
            if entries is not None and us is not None and root.line(f"{folder}/{state}/name") != "POLL":
                before = found.get(cpu, (0, 0))
                found[cpu] = (before[0] + entries, before[1] + us)
    return found


def _ipis(text: str | None) -> dict[int, int]:
    """Interrupts from other vCPUs by the vCPU that took them."""
    rows = list(fields(text))
    cpus = [number(word.removeprefix("CPU")) for word in rows[0]] if rows else []
    found: dict[int, int] = {}
    for row in rows[1:]:
        if not " ".join(row[-3:]).endswith(_IPIS):
            continue
        for cpu, count in zip(cpus, map(number, row[1:]), strict=False):
            if cpu is not None and count is not None:
                found[cpu] = found.get(cpu, 0) + count
    return found


def _run_delay(text: str | None) -> int | None:
    """Time that tasks waited on all run queues, in ns: the eighth figure of each `cpu` line."""
    delays = [number(row[8]) for row in fields(text) if _CPU_NAME.fullmatch(row[0]) and len(row) > 8]
    known = [delay for delay in delays if delay is not None]
    return sum(known) if known else None


def _vm(text: str | None) -> dict[str, int]:
    rows = [(row[0], number(row[1])) for row in fields(text) if len(row) > 1]
    return {name: value for name, value in rows if value is not None and name in ("pswpin", "pswpout", "pgmajfault")}


def _pressure(root: Root) -> dict[str, tuple[int, int | None]]:
    found: dict[str, tuple[int, int | None]] = {}
    for resource in _RESOURCES:
        lines = {row[0]: row[-1] for row in fields(root.text(f"/proc/pressure/{resource}"))}
        totals = {name: number(word.removeprefix("total=")) for name, word in lines.items()}
        some = totals.get("some")
        if some is not None:
            found[resource] = (some, totals.get("full"))
    return found


def _disks(root: Root) -> dict[str, Disk]:
    """Whole disks: partitions are not in /sys/block, and loop devices are files of another disk."""
    whole = set(root.names("/sys/block"))
    found: dict[str, Disk] = {}
    for row in fields(root.text("/proc/diskstats")):
        counts = [number(word) for word in row[3:]]
        known = [count for count in counts if count is not None]
        if len(row) < 14 or len(known) != len(counts) or _NO_DISK.fullmatch(row[2]) or (whole and row[2] not in whole):
            continue
        reads, _, read, read_ms, writes, _, written, write_ms, _, busy_ms = known[:10]
        flushes, flush_ms = (known[15], known[16]) if len(known) > 16 else (None, 0)
        requests = reads + writes + (flushes or 0)
        found[row[2]] = Disk(requests, read + written, read_ms + write_ms + flush_ms, busy_ms, flushes)
    return found
