"""When a run is in the way of the machine's own programs: every bound, and pure functions that hold a look to them.

Before the start the bounds are absolute; during the run they ask what has grown since before it, for a machine whose
programs always wait a little is not hurt by us.
"""

from collections.abc import Iterator, Mapping

from ipctune.host.model_watch import ProgramRates
from ipctune.host.others import Moment, Others

__all__ = ["BOUNDS", "NEEDED_BYTES", "crossed", "least_left", "not_now", "waits"]

START_FREE = 0.5
"""vCPUs that have to be free before the start: the pair keeps up to two half busy, and gives way at each message."""
STOP_FREE = 0.25
"""vCPUs that others have to leave free during the run, where they use as much more than before it."""
MORE_WAIT_MS = 50.0
"""How much longer a program may wait for a vCPU than before, ms a second: five per cent of its time."""
NEEDED_BYTES = 150 << 20
"""Memory of the whole run, at most: a test holds it below that."""
LEAST_LEFT = 64 << 20
LEAST_SHARE = 0.03
"""Memory that stays available beside it: the larger of 64 MB and 3 % of all."""
STEAL_MS, STEAL_SHARE = 100.0, 0.2
"""Steal in ms a second, and as a share of what vCPUs wanted: where both are reached, the host is full."""
STALL_MS: Mapping[str, float] = {"memory": 100.0, "io": 200.0}
"""How long some program may stall on a resource, ms a second (pressure stall information)."""

BOUNDS = (
    f"It pauses where others leave less than {STOP_FREE:g} vCPU free, where one waits {MORE_WAIT_MS:.0f} ms/s more for "
    f"its turn than before, where memory, pressure or steal get short, and stops where pausing does not help."
)


def least_left(moment: Moment) -> int:
    """Bytes that have to stay available."""
    return max(LEAST_LEFT, int(LEAST_SHARE * (moment.total or 0)))


def not_now(moment: Moment, others: Others | None, vcpus: float) -> str:
    """Why a run had better not start, in words; empty where nothing speaks against it.

    `others` is what they did in the seconds before, None where nobody looked; `vcpus` is how many there are for us.
    """
    needed = NEEDED_BYTES + least_left(moment)
    if moment.available is not None and moment.available < needed:
        keeps = f"a run may take {_mb(NEEDED_BYTES)} and has to leave {_mb(least_left(moment))}"
        return f"{_mb(moment.available)} of memory are available; {keeps}"
    if others is None:
        return ""
    free, needs = vcpus - others.vcpus, min(START_FREE, START_FREE * vcpus)
    if free < needs:
        return f"your programs leave {max(0.0, free):.2f} vCPU free; a run needs {needs:.2f}"
    return next(_shared(others, {}), "")


def crossed(before: Others, now: Others, longer: Others | None, moment: Moment, vcpus: float) -> str:
    """Which bound is crossed, in words; empty where none is.

    `before` is from before the run, `now` the last seconds, `longer` enough of them for pressure (None: not yet).
    """
    if moment.available is not None and moment.available < least_left(moment):
        return f"{_mb(moment.available)} of memory are left (bound: {_mb(least_left(moment))})"
    free = vcpus - now.vcpus
    if free < min(STOP_FREE, STOP_FREE * vcpus) and now.vcpus >= before.vcpus + STOP_FREE:
        return f"your programs use {now.vcpus:.2f} vCPU ({before.vcpus:.2f} before) and leave {max(0.0, free):.2f} free"
    for name, more in waits(before, now):
        if more >= MORE_WAIT_MS:
            return f"{name} waits {more:.0f} ms/s longer for a vCPU than before (bound: {MORE_WAIT_MS:.0f})"
    return next(_shared(now if longer is None else longer, before.stalled_ms), "")


def waits(before: Others, now: Others) -> list[tuple[str, float]]:
    """How much longer each program waits for its turn than before, ms a second, the largest first."""
    none = ProgramRates("", 0, 0.0, 0.0, 0.0)
    more = [(name, p.wait_ms - before.programs.get(name, none).wait_ms) for name, p in now.programs.items()]
    return sorted(more, key=lambda pair: -pair[1])


def _shared(others: Others, before: Mapping[str, float]) -> Iterator[str]:
    """What nobody's fault need be: steal, and pressure."""
    if others.steal_ms >= STEAL_MS and others.steal_share >= STEAL_SHARE:
        yield f"the hypervisor gives {100 * others.steal_share:.0f} % of the time that vCPUs want to others"
    for name, bound in STALL_MS.items():
        ms = others.stalled_ms.get(name, 0.0)
        if ms - before.get(name, 0.0) >= bound:
            yield f"programs stall on {name} for {ms:.0f} ms/s (bound: {bound:.0f} more than before)"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
