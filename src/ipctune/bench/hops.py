"""What one hop costs: waking a vCPU that has been halted as long as this machine's usually are, and one that is awake.

A hop is half of a 64-byte pipe round trip: across two vCPUs after an idle gap, and on a single vCPU, where nobody halts
between the two sides. About a second, and nothing on the machine is set.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipctune.bench import core as measuring
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError

__all__ = ["BESIDE", "HopCost", "hop_cost", "least_busy"]

BLOCK_S = 0.1
PAIRS = 3
"""Blocks of each kind, one after the other in turn; the middle one counts."""
LONGEST_GAP_NS = 10_000_000
"""Waking becomes no dearer after a longer sleep, and a block would see too few of them."""
BESIDE = 0.4
"""Share of a vCPU that others may use: beside more, the median is a wait for one's turn and not a wake-up."""


@dataclass(frozen=True, slots=True)
class HopCost:
    """Half round trips in ns; None, and why, where nothing could be measured."""

    halted_ns: float | None
    awake_ns: float | None
    unknown: str = ""


def least_busy(allowed: Sequence[int], busy: Mapping[int, float]) -> tuple[int, int] | None:
    """The two vCPUs that others use least, in order; None where there are no two that are free enough."""
    free = sorted(allowed, key=lambda cpu: (busy.get(cpu, 0.0), cpu))[:2]
    if len(free) < 2 or any(busy.get(cpu, 0.0) >= BESIDE for cpu in free):
        return None
    low, high = sorted(free)
    return low, high


def hop_cost(
    allowed: Sequence[int],
    busy: Mapping[int, float],
    gap_ns: float,
    seed: int,
    *,
    seconds: float = BLOCK_S,
    core: str | Path | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> HopCost:
    """Measure both kinds of hop after `gap_ns` of sleep. `busy` is each vCPU's share that others use. Never raises."""
    cpus = least_busy(allowed, busy)
    if cpus is None:
        return HopCost(None, None, "one vCPU alone" if len(allowed) < 2 else "the vCPUs are too busy to measure it")
    across = Spec(cpus=cpus, gap_ns=round(min(max(gap_ns, 0.0), LONGEST_GAP_NS)))
    one = Spec(cpus=(cpus[0], cpus[0]))
    halted, awake = [], []
    try:
        for _ in range(PAIRS):
            awake.append(measuring.run(one, seconds, seed, core=core).p50_ns or 0.0)
            halted.append(measuring.run(across, seconds, seed, core=core).p50_ns or 0.0)
            tick("what a wake-up costs")
    except IpctuneError as error:
        return HopCost(None, None, error.what)
    return HopCost(statistics.median(halted) / 2, statistics.median(awake) / 2)
