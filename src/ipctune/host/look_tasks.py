"""One look at every thread: how long it ran, how long it waited to run, how often it slept of its own accord.

Sources: proc_pid_stat(5), proc_pid_status(5), and Documentation/scheduler/sched-stats.rst for /proc/PID/schedstat.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ipctune.host.root import Root
from ipctune.host.text import fields, number, pairs

__all__ = ["Key", "Task", "Tasks", "own_pids", "read_tasks"]

_MOST_TASKS = 5000
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the flags of proc_pid_stat(5)
_SCHED_IDLE = 5

Key = tuple[int, int]
"""A thread's id, and when it started: ids are used again."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thread. `name` is its program's; `yields` that it runs under SCHED_IDLE, so it takes from nobody.

    `ran_ns` and `waited_ns` (runnable, and not running) and `switches` (voluntary ones) count since it started.
    """

    pid: int
    name: str
    state: str
    cpu: int
    yields: bool
    ran_ns: int
    waited_ns: int
    switches: int


@dataclass(frozen=True, slots=True)
class Tasks:
    """All threads of programs but ours; `own` are ours. `blocked` are kernel threads that wait for a disk.

    `complete` is false where others can't be seen (hidepid) or there are too many.
    """

    others: Mapping[Key, Task]
    own: Mapping[Key, Task]
    blocked: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Stat:
    name: str
    state: str
    parent: int
    kernel: bool
    started: int
    cpu: int
    yields: bool


def read_tasks(root: Root) -> Tasks:
    """Look at every thread once, within bounds. What ends meanwhile is left out."""
    stats = {pid: stat for pid in _pids(root) if (stat := _stat(root.text(f"/proc/{pid}/stat"))) is not None}
    myself = number(pairs(root.text("/proc/self/status")).get("Pid"))
    ours = own_pids(myself, {pid: stat.parent for pid, stat in stats.items()})
    own: dict[Key, Task] = {}
    others: dict[Key, Task] = {}
    for pid, stat in stats.items():
        if len(own) + len(others) > _MOST_TASKS:
            break
        if not stat.kernel:
            (own if pid in ours else others).update(_threads(root, pid, stat.name))
    blocked = tuple(sorted({stat.name for stat in stats.values() if stat.kernel and stat.state == "D"}))
    return Tasks(others, own, blocked, 1 in stats and len(own) + len(others) <= _MOST_TASKS)


def own_pids(myself: int | None, parents: Mapping[int, int]) -> set[int]:
    """This process and all that descend from it."""
    ours = set() if myself is None else {myself}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in ours and pid not in ours}
        ours |= more
        grown = bool(more)
    return ours


def _pids(root: Root) -> list[int]:
    return _numbers(root.names("/proc", "[0-9]*"))


def _numbers(names: Iterable[str]) -> list[int]:
    return sorted(value for value in map(number, names) if value is not None)


def _threads(root: Root, pid: int, name: str) -> dict[Key, Task]:
    found: dict[Key, Task] = {}
    for tid in _numbers(root.names(f"/proc/{pid}/task", "[0-9]*")):
        folder = f"/proc/{pid}/task/{tid}"
        stat = _stat(root.text(f"{folder}/stat"))
        if stat is None:
            continue
        ran, waited = _schedstat(root.text(f"{folder}/schedstat"))
        switches = number(pairs(root.text(f"{folder}/status")).get("voluntary_ctxt_switches")) or 0
        found[tid, stat.started] = Task(pid, name, stat.state, stat.cpu, stat.yields, ran, waited, switches)
    return found


def _stat(text: str | None) -> _Stat | None:
    """The parts of /proc/PID/stat that matter; a name may hold anything, brackets too."""
    head, closing, tail = (text or "").rpartition(")")
    words = tail.split()
    values = [number(word) for word in words[1:39]]
    if not closing or len(words) < 39 or any(value is None for value in values):
        return None
    known = [value for value in values if value is not None]
    parent, flags, started, cpu, policy = known[0], known[5], known[18], known[35], known[37]
    kernel = bool(flags & _KERNEL_THREAD)
    return _Stat(head.partition("(")[2], words[0], parent, kernel, started, cpu, policy == _SCHED_IDLE)


def _schedstat(text: str | None) -> tuple[int, int]:
    """Time spent running and time spent waiting to run, in ns; nothing where the kernel keeps none."""
    row = next(fields(text), [])
    ran, waited = (number(word) for word in row[:2]) if len(row) > 1 else (None, None)
    return (ran or 0, waited or 0)
