"""What a round trip costs after the vCPUs were idle for a while, as points, and what their shape says.

A 64-byte pipe round trip across two vCPUs against the idle gap before it. Where nobody polls, every
wake-up pays for leaving the halted state, and the more, the longer the gap; where guest or host polls
for a while before it halts, the curve is low up to that gap and jumps there. So its shape tells who
polls and for how long, from inside the guest.
"""

import itertools
import statistics
from dataclasses import dataclass

__all__ = ["Curve", "Knee", "Point", "knee"]

AWAKE = 3.0
"""A round trip below this many times the one on a single vCPU woke nobody who had halted."""
JUMP = 1.8
"""Rise from one gap to the next that shows the end of polling; halting deeper rises more gently."""


@dataclass(frozen=True, slots=True)
class Point:
    """One gap: idle ns before each round trip, its median (RT, ns), and the costs a round trip."""

    gap_ns: int
    p50_ns: float
    count: int
    cpu_ns_per_message: float
    poll_ns_per_message: float | None = None
    spoiled: str | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in rising order of the gap, and `awake_ns`: the same round trip (RT) on one vCPU.

    On one vCPU nobody halts between the two sides, so that is what a wake-up costs when it is free.
    """

    points: tuple[Point, ...]
    awake_ns: float
    cpus: tuple[int, int]

    def round_trip_ns(self, gap_ns: float) -> float:
        """The median round trip after a gap, interpolated; the ends hold beyond the ends."""
        before = self.points[0]
        for point in self.points:
            if point.gap_ns >= gap_ns:
                return _between(before, point, gap_ns)
            before = point
        return before.p50_ns


@dataclass(frozen=True, slots=True)
class Knee:
    """Who answers fast, and up to which gap.

    `kind`: `nobody` polls; `polls` up to a gap between `from_ns` and `to_ns`, done by the `guest`,
    by the `host`, or by one of them (`unknown` without the POLL state's time); `awake`: no gap that
    was measured is slow (a wake-up latency request, idle=poll, or a very fast hypervisor).
    """

    kind: str
    who: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None


def _between(before: Point, after: Point, gap_ns: float) -> float:
    """Linear in the gap; the curve is far from straight, but its points lie close together."""
    if after.gap_ns == before.gap_ns:
        return after.p50_ns
    share = (gap_ns - before.gap_ns) / (after.gap_ns - before.gap_ns)
    return before.p50_ns + share * (after.p50_ns - before.p50_ns)


def knee(curve: Curve) -> Knee:
    """Who polls, and for how long, read off the curve's shape.

    The point without a gap is left out of the search for a jump: it has no timer in it.
    """
    points = [point for point in curve.points if point.gap_ns > 0]
    for before, after in itertools.pairwise(points):
        low = statistics.median(p.p50_ns for p in points if p.gap_ns <= before.gap_ns)
        high = statistics.median(p.p50_ns for p in points if p.gap_ns >= after.gap_ns)
        if after.p50_ns >= JUMP * before.p50_ns and high >= JUMP * low:
            return Knee("polls", _who(curve, before), before.gap_ns, after.gap_ns)
    level = statistics.median(point.p50_ns for point in points) if points else 0.0
    if level < AWAKE * curve.awake_ns:
        return Knee("awake", _who(curve, points[-1]) if points else None)
    return Knee("nobody")


def _who(curve: Curve, at: Point) -> str:
    """The guest where its POLL state grew with the gap; the host where it stood still."""
    polled = at.poll_ns_per_message
    if polled is None:
        return "unknown"
    return "guest" if polled > 0.25 * at.gap_ns else "host"
