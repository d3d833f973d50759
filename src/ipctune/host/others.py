"""What a machine's other programs get while something of ours runs: a look at a moment, and what lies between two.

Sources: proc_meminfo(5), proc_pid_statm(5), proc_pid_schedstat, and cgroup-v2.rst and psi.rst in the kernel's
documentation. Changes nothing.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ipctune.host.cgroup import memory_room
from ipctune.host.look import Look, look
from ipctune.host.model_watch import PSI_SECONDS, ProgramRates
from ipctune.host.rates import others_rates, rates
from ipctune.host.root import Root
from ipctune.host.text import number, pairs, size, words

__all__ = ["Moment", "Others", "between", "read_moment"]

_PAGE = os.sysconf("SC_PAGE_SIZE")  # the unit of proc_pid_statm(5)
_WHOLE = "pid:[4026531836]"  # PROC_PID_INIT_INO, include/linux/proc_ns.h: the namespace that holds every process


@dataclass(frozen=True, slots=True)
class Moment:
    """One look. `available` bytes are what new work can have and `total` is all there is, by /proc/meminfo and by the
    limits of our own control groups; `own` is what our processes hold resident. `whole`: every process of the machine
    can be seen from here. None is unknown."""

    look: Look
    available: int | None
    total: int | None
    own: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Others:
    """What others got between two moments, `seconds` apart. Programs by name; times in ms a second.

    Of the vCPUs that were asked for, `used` is what the programs that are seen use, and `busy` all that is in use,
    short lives included, but for our processes that still live. `steal_share` is the part of the time that vCPUs
    wanted. `stalled_ms` (memory, io) is empty where the window is too short to tell. `complete` is false where not
    every thread could be seen, `waits_known` where the kernel does not tell how long one waits.
    """

    seconds: float
    programs: Mapping[str, ProgramRates]
    used: float
    busy: float
    steal_ms: float
    steal_share: float
    stalled_ms: Mapping[str, float]
    complete: bool
    waits_known: bool


def read_moment(root: Root) -> Moment:
    """Look once: some ms, and about 0.1 ms for each thread."""
    seen = look(root)
    told = pairs(root.text("/proc/meminfo"))
    room = memory_room(root) or (None, None)
    own = sum(_resident(root, pid) for pid in {task.pid for task in seen.tasks.own.values()})
    return Moment(
        seen,
        _least(size(told.get("MemAvailable")), room[1]),
        _least(size(told.get("MemTotal")), room[0]),
        own,
        root.link("/proc/self/ns/pid") == _WHOLE,
    )


def _least(*sizes: int | None) -> int | None:
    return min((value for value in sizes if value is not None), default=None)


def _resident(root: Root, pid: int) -> int:
    found = words(root.text(f"/proc/{pid}/statm"))
    return (number(found[1]) or 0) * _PAGE if len(found) > 1 else 0


def between(before: Moment, after: Moment, cpus: Collection[int]) -> Others | None:
    """None where no time went by."""
    found = rates(before.look, after.look)
    if found is None:
        return None
    wanted = 1000.0 * found.busy + found.steal_ms
    stalls = {name: found.stalled_ms(name) for name in ("memory", "io")}
    programs, used = others_rates(before.look, after.look, cpus)
    tasks = after.look.tasks
    return Others(
        seconds=found.seconds,
        programs={program.name: program for program in programs},
        used=used,
        busy=sum(vcpu.busy for vcpu in found.vcpus if vcpu.cpu in cpus),
        steal_ms=found.steal_ms,
        steal_share=found.steal_ms / wanted if wanted > 0 else 0.0,
        stalled_ms={name: ms for name, ms in stalls.items() if ms is not None and found.seconds >= PSI_SECONDS},
        complete=found.complete and after.whole,
        waits_known=any(task.ran_ns for task in [*tasks.own.values(), *tasks.others.values()]),
    )
