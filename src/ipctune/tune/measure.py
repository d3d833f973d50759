"""Interleaved blocks: each arm set, the machine rested, then its loads measured one after another."""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.bench.core import run
from ipctune.bench.spec import Spec
from ipctune.tune.guard import Check, nobody_looks
from ipctune.tune.point import Point, load_of, sample_of
from ipctune.tune.series import Arm, Series
from ipctune.tune.switch import Switch
from ipctune.workload.model import Sample

__all__ = ["Pairs", "measured", "pair_seconds"]

_OVERHEAD = 0.06  # seconds a block: starting the core, its warm-up


@dataclass
class Pairs:
    """Measures pairs of arms, each over the same loads, and collects them by load.

    The slow load comes first in every arm: after the rest vCPUs are as cold as a client at that rate finds them. After
    each block `check` may look at the rest of the machine, and pause, or end the run.
    """

    points: Sequence[Point]
    switch: Switch
    block: float
    rest: float
    rng: random.Random
    settle: float = 0.0
    check: Check = nobody_looks

    def __post_init__(self) -> None:
        self.series = [Series(higher_is_better=_higher(point)) for point in self.points]

    def measure(self, first: int | None = None) -> None:
        """One pair, its two arms in random order; over the `first` so many loads alone where that is given."""
        for is_b in self.rng.choice(((False, True), (True, False))):
            self._arm(is_b, first)

    def count(self) -> int:
        return min(s.pairs() for s in self.series)

    def _arm(self, is_b: bool, first: int | None) -> None:
        self._set(is_b)
        for point, series in list(zip(self.points, self.series, strict=True))[:first]:
            self._block(self.switch.spec(point, on=is_b), series.b if is_b else series.a)
            if self.check(self.switch.off):
                self._set(is_b)

    def _set(self, is_b: bool) -> None:
        if is_b:
            self.switch.on()
        else:
            self.switch.off()
        time.sleep(max(self.rest, self.settle))

    def _block(self, point: Point, arm: Arm) -> None:
        before, start = self.switch.own_cpu_ns(), time.monotonic()
        block = measured(point, self.block, self.rng.getrandbits(31))
        arm.add(block, _own_ns(block, self.switch.own_cpu_ns() - before, time.monotonic() - start))


def measured(point: Point, seconds: float, seed: int) -> Sample:
    """One block of whatever is measured."""
    return sample_of(run(point, seconds, seed)) if isinstance(point, Spec) else point.sample(seconds, seed)


def _higher(point: Point) -> bool:
    metric = load_of(point).metric
    return metric is not None and metric.higher_is_better


def _own_ns(block: Sample, own_ns: float, took: float) -> float:
    """What our pollers used during the block itself: they spin while its processes start and warm up as well.

    Then they have the vCPUs for themselves, so their even share is too much, and what both sides leave is the bound.
    """
    share = own_ns * min(1.0, block.seconds / took) if took else own_ns
    left = (os.cpu_count() or 1) * block.seconds * 1e9 - block.cpu_ns
    return max(0.0, min(share, left))


def pair_seconds(loads: int, block: float, rest: float) -> float:
    """What one pair takes."""
    return 2 * (rest + loads * (block + _OVERHEAD))
