"""What a machine's other programs get while something of ours runs: a look at a moment, and what lies between two.

Sources: proc_meminfo(5), proc_pid_statm(5), proc_pid_schedstat, and cgroup-v2.rst and psi.rst in the kernel's
documentation. Changes nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ipctune.host.cgroup import memory_left
from ipctune.host.look import Look, look
from ipctune.host.model_watch import PSI_SECONDS, ProgramRates
from ipctune.host.rates import program_rates, rates
from ipctune.host.root import Root
from ipctune.host.text import number, pairs, size, words

__all__ = ["Moment", "Others", "between", "read_moment"]

_PAGE = os.sysconf("SC_PAGE_SIZE")  # the unit of proc_pid_statm(5)


@dataclass(frozen=True, slots=True)
class Moment:
    """One look. `available` bytes are what new work can have, by MemAvailable and by the limits of our own control
    groups; `total` is all memory; `own` what our processes hold resident. None is unknown."""

    look: Look
    available: int | None
    total: int | None
    own: int


@dataclass(frozen=True, slots=True)
class Others:
    """What others got between two moments, `seconds` apart. Programs by name; times in ms a second.

    `steal_share` is the part of the time that vCPUs wanted. `stalled_ms` (memory, io) is empty where the window is
    too short to tell. `complete` is false where not every thread could be seen.
    """

    seconds: float
    programs: Mapping[str, ProgramRates]
    steal_ms: float
    steal_share: float
    stalled_ms: Mapping[str, float]
    complete: bool

    @property
    def vcpus(self) -> float:
        """vCPUs that others use. What lives shorter than the window is not seen."""
        return sum(program.vcpus for program in self.programs.values())


def read_moment(root: Root) -> Moment:
    """Look once: some ms, and about 0.1 ms for each thread."""
    seen = look(root)
    told = pairs(root.text("/proc/meminfo"))
    free = [value for value in (size(told.get("MemAvailable")), memory_left(root)) if value is not None]
    own = sum(_resident(root, pid) for pid in {task.pid for task in seen.tasks.own.values()})
    return Moment(seen, min(free, default=None), size(told.get("MemTotal")), own)


def _resident(root: Root, pid: int) -> int:
    found = words(root.text(f"/proc/{pid}/statm"))
    return (number(found[1]) or 0) * _PAGE if len(found) > 1 else 0


def between(before: Moment, after: Moment) -> Others | None:
    """None where no time went by."""
    found = rates(before.look, after.look)
    if found is None:
        return None
    wanted = 1000.0 * found.busy + found.steal_ms
    stalls = {name: found.stalled_ms(name) for name in ("memory", "io")}
    return Others(
        seconds=found.seconds,
        programs={program.name: program for program in program_rates(before.look, after.look)},
        steal_ms=found.steal_ms,
        steal_share=found.steal_ms / wanted if wanted > 0 else 0.0,
        stalled_ms={name: ms for name, ms in stalls.items() if ms is not None and found.seconds >= PSI_SECONDS},
        complete=found.complete,
    )
