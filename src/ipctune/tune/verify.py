"""Read back what is set and measure again whether it still helps."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ipctune.bench.spec import Spec
from ipctune.host.model import Host
from ipctune.journal.aside import Aside, putting_aside
from ipctune.journal.store import Journal
from ipctune.knobs.model import Kind
from ipctune.knobs.registry import KNOBS
from ipctune.tune.goals import Judgement, judge, metric
from ipctune.tune.loop import placed
from ipctune.tune.measure import Pairs, pair_seconds
from ipctune.tune.model import Goal, LoadResult, Settings
from ipctune.tune.point import Point, points_of
from ipctune.tune.refusals import probe
from ipctune.tune.source import opened
from ipctune.tune.trial import load_result

__all__ = ["Verified", "verify"]

_LEAST = 6  # pairs


@dataclass(frozen=True, slots=True)
class Verified:
    """`word`: still helps, no longer, undecided (these pairs could not tell), or changed by someone else; `changed` are
    the parts that are not ours now."""

    word: str
    why: str
    changed: tuple[str, ...]
    loads: tuple[LoadResult, ...]
    pairs: int
    goal: Goal = Goal.BALANCED


class _AsideSwitch:
    """The kept set as a switch: off is the original state."""

    def __init__(self, aside: Aside) -> None:
        self._aside = aside

    def on(self) -> None:
        self._aside.on()

    def off(self) -> None:
        self._aside.off()

    def spec(self, spec: Point, *, on: bool) -> Point:
        return spec

    def own_cpu_ns(self) -> float:
        return 0.0


def _limits(spec: Spec, settings: Settings, aside: Aside) -> Verified:
    """Limits are not timed: is the workload refused without them, and does it run with them?"""
    aside.off()
    without = probe(spec, settings.seed)
    aside.on()
    with_them = probe(spec, settings.seed)
    if with_them is not None:
        return Verified("no longer", f"the workload is refused all the same: {with_them.message}", (), (), 0)
    if without is None:
        return Verified("no longer", "the workload is not refused without it either", (), (), 0)
    return Verified("still helps", f"without it the workload is refused: {without.call} {without.errno}", (), (), 0)


def verify(host: Host, settings: Settings, journal: Journal, seconds: float, tick: Callable[[str], None]) -> Verified:
    """Repeat the A/B for about `seconds`. Raises NotPossible where nothing is active."""
    settings = replace(settings, spec=placed(host, settings.spec))
    with opened(settings) as workload:
        return _verify(settings, journal, seconds, tick, points_of(settings, workload))


def _verify(
    settings: Settings, journal: Journal, seconds: float, tick: Callable[[str], None], points: Sequence[Point]
) -> Verified:
    each = pair_seconds(len(points), settings.block, settings.rest)
    with putting_aside(journal, max(seconds, _LEAST * each)) as aside:
        if aside.changed:
            return Verified("changed", "what is set now is not what was proved", tuple(aside.changed), (), 0)
        limits_alone = bool(aside.kept) and all(KNOBS[name].kind is Kind.LIMIT for name in aside.kept)
        if limits_alone and settings.target is not None:
            return Verified("undecided", "they are in force; nothing tells whether they are still needed", (), (), 0)
        if limits_alone:
            return _limits(settings.spec, settings, aside)
        pairs = Pairs(points, _AsideSwitch(aside), settings.block, settings.rest, random.Random(settings.seed), 0.1)
        end = time.monotonic() + seconds
        while pairs.count() < _LEAST or time.monotonic() + each < end:
            pairs.measure()
            tick(f"pair {pairs.count()}")
    loads = tuple(load_result(point, series, None) for point, series in zip(points, pairs.series, strict=True))
    found = judge(settings.goal, loads, idle_vcpus=None, max_cpu=settings.max_cpu, max_idle_cpu=settings.max_idle_cpu)
    return Verified(_word(settings, found, loads), found.why, (), loads, pairs.count(), settings.goal)


def _word(settings: Settings, found: Judgement, loads: Sequence[LoadResult]) -> str:
    """A gain that half a minute could not tell from none is not gone."""
    if found.keep:
        return "still helps"
    open_yet = found.helps and not found.settled
    untold = not found.helps and any(metric(settings.goal, load).word == "undecided" for load in loads)
    return "undecided" if open_yet or untold else "no longer"
