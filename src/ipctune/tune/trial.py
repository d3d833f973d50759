"""One candidate against the present state: pairs of blocks until the judge has seen enough or the time is spent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipctune.judge.flips import as_fraction, interval
from ipctune.judge.rules import p99_worse
from ipctune.judge.sequential import Decision, Plan, decide, plan
from ipctune.judge.tails import pooled_tail
from ipctune.tune.goals import Judgement, judge
from ipctune.tune.measure import Pairs
from ipctune.tune.model import Effect, Goal, LoadResult, Settings
from ipctune.tune.point import Point, load_of, placement_of
from ipctune.tune.series import Series

__all__ = ["REFERENCE_PAIRS", "Tried", "effect_of", "load_result", "traffic_changed", "try_out"]

REFERENCE_PAIRS = 6
"""A short look at what the goal could not keep: a sign-flip interval at 95 % needs six pairs."""
_CHANGED = 1.3
"""A service whose traffic grew or shrank by so much meanwhile tells nothing of a setting."""
_KEEPS_UP = 0.95
"""Part of an open loop's rate below which the pair falls behind: latency is then that of a growing queue."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What the blocks of a trial say."""

    loads: tuple[LoadResult, ...]
    judgement: Judgement
    spoiled: int
    blocks: int
    pairs: int
    changed: str = ""


def try_out(
    pairs: Pairs, settings: Settings, *, most: int, family: int, tick: Callable[[int, Sequence[LoadResult]], None]
) -> Tried:
    """Measure until the goal's question is answered at every load, or `most` pairs are done.

    `family` is the number of comparisons that share the error rate: every knob of the run at every load.
    """
    looks = plan(most, family=family)
    while True:
        pairs.measure()
        done = pairs.count()
        if done not in looks.looks and done < most:
            tick(done, ())
            continue
        loads = tuple(load_result(point, s, looks) for point, s in zip(pairs.points, pairs.series, strict=True))
        judgement = judge(
            settings.goal, loads, idle_vcpus=None, max_cpu=settings.max_cpu, max_idle_cpu=settings.max_idle_cpu
        )
        tick(done, loads)
        if done >= most or judgement.settled or (not judgement.helps and _futile(settings.goal, pairs, looks)):
            return Tried(loads, judgement, *_blocks(pairs), done, traffic_changed(pairs))


def traffic_changed(pairs: Pairs) -> str:
    """In words, where the traffic of a live service was another one in the second half; empty where it was not."""
    for point, series in zip(pairs.points, pairs.series, strict=True):
        factor = series.traffic() if load_of(point).live else None
        if factor is not None and not 1 / _CHANGED <= factor <= _CHANGED:
            return f"its traffic changed meanwhile, ×{factor:.2f}: not to be credited to a setting"
    return ""


def _futile(goal: Goal, pairs: Pairs, looks: Plan) -> bool:
    """Whether no load promises anything for the goal by going on."""
    return all(
        decide(looks, d, higher_is_better=higher).stop
        for point, series in zip(pairs.points, pairs.series, strict=True)
        for d, higher in [_looked_at(goal, series, own=load_of(point).metric is not None)]
    )


def _looked_at(goal: Goal, series: Series, *, own: bool) -> tuple[list[float], bool]:
    """The pairs that the goal looks at first, and whether higher is better. A metric of the user's `own` is both
    latency and throughput."""
    if goal is Goal.LATENCY or (own and goal is Goal.THROUGHPUT):
        return series.p50(), series.higher_is_better
    if goal is Goal.THROUGHPUT:
        return series.throughput(), True
    return (series.product() if goal is Goal.BALANCED else series.price()), False


def _blocks(pairs: Pairs) -> tuple[int, int]:
    return sum(s.spoiled() for s in pairs.series), sum(2 * s.pairs() for s in pairs.series)


def load_result(point: Point, series: Series, looks: Plan | None) -> LoadResult:
    """Everything about one load; without a plan (a proof, a reference) at the plain 95 %."""
    now, tried, load = series.a.figures(), series.b.figures(), load_of(point)
    return LoadResult(
        rate=load.rate,
        placement=placement_of(point),
        now=now,
        tried=tried,
        p50=effect_of(series.p50(), looks, higher_is_better=series.higher_is_better),
        product=effect_of(series.product(), looks),
        price=effect_of(series.price(), looks),
        throughput=effect_of(series.throughput(), looks, higher_is_better=True),
        p50_bound=_harm(series),
        p99_worse=_p99(series),
        extra_vcpus=tried.price_vcpus - now.price_vcpus,
        keeps_up=min(now.messages_per_second, tried.messages_per_second) >= _KEEPS_UP * load.rate,
        name=load.name,
        metric=load.metric,
    )


def _p99(series: Series) -> bool | None:
    """Worse where the blocks' own p99 are, or that of all samples together: stalls need not be in most blocks."""
    if not series.known_p99():
        return None
    return p99_worse(interval(series.p99(), 0.05)) or p99_worse(pooled_tail(*series.histograms()))


def _harm(series: Series) -> float | None:
    """How much worse it may be; where higher is better, how much higher it may have been before."""
    found = interval(series.p50(), 0.05)
    if series.higher_is_better:
        return None if found.low is None else as_fraction(-found.low)
    return None if found.high is None else as_fraction(found.high)


def effect_of(d: Sequence[float], looks: Plan | None, *, higher_is_better: bool = False) -> Effect:
    """The judge's decision as a value of ours."""
    found = decide(
        looks if looks is not None else Plan(len(d), (len(d),), (1.0,), 0.05, 1), d, higher_is_better=higher_is_better
    )
    return _effect(found)


def _effect(found: Decision) -> Effect:
    return Effect(
        word=found.verdict.value,
        effect=found.effect,
        low=found.low,
        high=found.high,
        pairs=found.pairs,
        could_have_seen=found.could_have_seen,
        reason=found.reason,
    )
