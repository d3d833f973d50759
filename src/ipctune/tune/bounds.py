"""When a run is in the way of the machine's own programs: every bound, and pure functions that hold a look to them.

Before the start the bounds are absolute; during the run they ask what has grown since before it, for a machine whose
programs always wait a little is not hurt by us.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ipctune.host.others import Moment, Others

__all__ = ["BOUNDS", "NEEDED_BYTES", "Room", "crossed", "least_left", "not_now", "short_of_memory", "waits"]

START_FREE = 0.5
"""vCPUs that have to be free before the start: the pair keeps up to two half busy, and gives way at each message."""
STOP_FREE = 0.25
"""vCPUs that others have to leave free during the run, where they use as much more than before it."""
MORE_WAIT_MS = 50.0
"""How much longer a program may wait for a vCPU than before, ms a second: five per cent of one thread's time."""
EACH_WAIT_MS = 5.0
"""The same for a program of many processes, for each of them: half a per cent."""
MORE_WAIT = 0.5
"""The same as a part of what it waited at most before: one that always waits is not known to a few ms."""
NEEDED_BYTES = 150_000_000
"""Memory of the whole run, at most: a test holds it below that."""
LEAST_LEFT, MOST_LEFT = 64_000_000, 1_000_000_000
LEAST_SHARE = 0.03
"""Memory that stays available beside it: 3 % of all, 64 MB at least and 1 GB at most."""
STEAL_MS, STEAL_SHARE = 100.0, 0.2
"""Steal in ms a second, and as a share of what vCPUs wanted: where both are reached, the host is full."""
STALL_MS: Mapping[str, float] = {"memory": 100.0, "io": 200.0}
"""How long some program may stall on a resource, ms a second (pressure stall information)."""

BOUNDS = (
    f"It pauses where others leave less than {STOP_FREE:g} vCPU free, where one waits {MORE_WAIT_MS:.0f} ms/s more for "
    f"its turn than before, where memory, pressure or steal get short, and stops where pausing does not help."
)


@dataclass(frozen=True, slots=True)
class Room:
    """The vCPUs that we may use, and how much of them our group's quota allows."""

    cpus: tuple[int, ...]
    quota: float

    def free(self, used: float) -> float:
        """vCPUs that are left where others use that many."""
        return max(0.0, min(self.quota, len(self.cpus) - used))

    def bound(self, vcpus: float) -> float:
        """That many vCPUs; of less than one the same part."""
        return min(vcpus, vcpus * self.quota, vcpus * len(self.cpus))


def least_left(moment: Moment) -> int:
    """Bytes that have to stay available."""
    return min(MOST_LEFT, max(LEAST_LEFT, int(LEAST_SHARE * (moment.total or 0))))


def not_now(moment: Moment, others: Others | None, room: Room) -> str:
    """Why a run had better not start, in words; empty where nothing speaks against it.

    `others` is what they did in the seconds before, when nothing of ours ran; None where nobody looked.
    """
    needed = NEEDED_BYTES + least_left(moment)
    if moment.available is not None and moment.available < needed:
        keeps = f"a run may take {_mb(NEEDED_BYTES)} and has to leave {_mb(least_left(moment))}"
        return f"{_mb(moment.available)} of memory are available; {keeps}"
    if others is None:
        return ""
    free, needs = room.free(max(others.used, others.busy)), room.bound(START_FREE)
    if free < needs:
        return f"your programs leave {free:.2f} vCPU free; a run needs {needs:.2f}"
    return next(_shared(others, dict.fromkeys(STALL_MS, 0.0)), "")


def short_of_memory(moment: Moment) -> str:
    """Whether less is left than has to stay, in words."""
    if moment.available is None or moment.available >= least_left(moment):
        return ""
    return f"{_mb(moment.available)} of memory are left (bound: {_mb(least_left(moment))})"


def crossed(
    before: Others, now: Others, longer: Others | None, moment: Moment, room: Room, last: Others | None = None
) -> str:
    """Which bound is crossed, in words; empty where none is.

    `before` is from before the run, `now` the last seconds, `last` those before them, `longer` enough of them for
    pressure (None: not yet).
    """
    if found := short_of_memory(moment):
        return found
    free = room.free(now.used)
    if now.waits_known and free < room.bound(STOP_FREE) and now.used >= before.used + STOP_FREE:
        return f"your programs use {now.used:.2f} vCPU ({before.used:.2f} before) and leave {free:.2f} free"
    for name, more, bound in waits(before, now, last):
        if more >= bound:
            return f"{name} waits {more:.0f} ms/s longer for a vCPU than before (bound: {bound:.0f})"
    return next(_shared(now if longer is None else longer, before.stalled_ms), "")


def waits(before: Others, now: Others, last: Others | None = None) -> Iterator[tuple[str, float, float]]:
    """Each program, how much longer it waits for its turn than before, and how much it may, ms a second.

    One that was not there before (a job of cron's) counts once it has waited in two windows, `last` and `now`: what
    starts beside others waits for them, and not for us.
    """
    for name, program in now.programs.items():
        known = before.programs.get(name)
        again = last.programs.get(name) if last is not None else None
        waited = program.wait_ms if known is not None else min(program.wait_ms, again.wait_ms if again else 0.0)
        first = known.wait_ms if known is not None else 0.0
        yield name, waited - first, max(MORE_WAIT_MS, MORE_WAIT * first, EACH_WAIT_MS * program.processes)


def _shared(others: Others, before: Mapping[str, float]) -> Iterator[str]:
    """What nobody's fault need be: steal, and pressure. What nobody knows from before is left out."""
    if others.steal_ms >= STEAL_MS and others.steal_share >= STEAL_SHARE:
        yield f"the hypervisor gives {100 * others.steal_share:.0f} % of the time that vCPUs want to others"
    for name, bound in STALL_MS.items():
        ms = others.stalled_ms.get(name, 0.0)
        if name in before and ms - before[name] >= bound:
            more = " more than before" if before[name] else ""
            yield f"programs stall on {name} for {ms:.0f} ms/s (bound: {bound:.0f}{more})"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
