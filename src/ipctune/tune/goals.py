"""When is a change kept? Pure rules on measured effects, one function a goal.

`balanced`: latency × price is lower at one load at least, and where it is not, the extra price stays below
`max_cpu`. `latency`: p50 is better at one load at least. `throughput`: more messages a second as fast as it goes.
`cpu`: a lower price a message, p50 at most 5 % worse. For the first two p50 and p99 are worse at no load. But for
`latency`, nearly nothing polls on an idle machine. A workload's own metric takes the place of p50 and of messages/s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.tune.model import Effect, Goal, LoadResult

__all__ = ["Judgement", "figure_name", "judge", "lower", "metric", "metric_name", "name"]

_P50_MARGIN = 0.10  # not worse: the interval excludes 10 % more
_CPU_MARGIN = 0.05  # what the goal `cpu` allows


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the goal keeps the change, and why (or why not) in words. `settled`: the question is answered, and
    more blocks would change nothing. Whether they are worth their time where it is not, the judge says."""

    keep: bool
    why: str
    helps: bool
    settled: bool


def metric(goal: Goal, load: LoadResult) -> Effect:
    """What the goal looks at first; a metric of the user's takes the place of p50 and of messages a second."""
    if load.metric is not None and goal is Goal.THROUGHPUT:
        return load.p50
    return {
        Goal.BALANCED: load.product,
        Goal.LATENCY: load.p50,
        Goal.THROUGHPUT: load.throughput,
        Goal.CPU: load.price,
    }[goal]


def judge(
    goal: Goal, loads: Sequence[LoadResult], *, idle_vcpus: float | None, max_cpu: float, max_idle_cpu: float
) -> Judgement:
    """Hold a change against a goal. `idle_vcpus` None: not measured, and then not held against it."""
    better = [load for load in loads if metric(goal, load).word == "better" and _counts(goal, load)]
    if not better:
        return Judgement(False, _no_gain(goal, loads), False, False)
    harm = _harm(goal, loads)
    if harm:
        return Judgement(False, harm, True, "not yet" not in harm)
    price = "" if goal is Goal.LATENCY else _too_dear(goal, loads, idle_vcpus, max_cpu, max_idle_cpu)
    if price:
        return Judgement(False, price, True, True)
    return Judgement(True, _gain(goal, better), True, True)


def _counts(goal: Goal, load: LoadResult) -> bool:
    return goal is not Goal.THROUGHPUT or load.rate == 0


def _no_gain(goal: Goal, loads: Sequence[LoadResult]) -> str:
    what = metric_name(goal, loads)
    words = ", ".join(f"{metric(goal, load).word} {name(load)}" for load in loads)
    return f"{what}: {words}"


def _gain(goal: Goal, better: Sequence[LoadResult]) -> str:
    return f"{metric_name(goal, better)} better {' and '.join(name(load) for load in better)}"


def _harm(goal: Goal, loads: Sequence[LoadResult]) -> str:
    """p50 or p99 worse anywhere, as far as the goal minds; empty where nothing is."""
    if goal is Goal.THROUGHPUT:
        return ""
    margin = _CPU_MARGIN if goal is Goal.CPU else _P50_MARGIN
    for load in loads:
        if load.p50.word == "worse" and goal is not Goal.CPU:
            return f"{figure_name(load)} is worse {name(load)}"
        if load.p50_bound is None or load.p50_bound >= margin:
            return f"{figure_name(load)} {name(load)} is not yet shown to be less than {margin * 100:.0f} % worse"
        if load.p99_worse and goal is not Goal.CPU:
            return f"p99 is worse {name(load)}"
    return ""


def _too_dear(
    goal: Goal, loads: Sequence[LoadResult], idle_vcpus: float | None, max_cpu: float, max_idle_cpu: float
) -> str:
    for load in loads:
        if goal is Goal.BALANCED and load.product.word != "better" and load.extra_vcpus > max_cpu:
            return f"costs {load.extra_vcpus:.2f} vCPU more {name(load)} (bound: {max_cpu:g})"
    if idle_vcpus is not None and idle_vcpus > max_idle_cpu:
        return f"burns {idle_vcpus:.2f} vCPU on an idle machine (bound: {max_idle_cpu:g})"
    return ""


_METRICS = {
    Goal.BALANCED: "latency × price",
    Goal.LATENCY: "p50",
    Goal.THROUGHPUT: "messages/s",
    Goal.CPU: "price a message",
}
_OWN_METRICS = {
    Goal.BALANCED: "metric × price",
    Goal.LATENCY: "metric",
    Goal.THROUGHPUT: "metric",
    Goal.CPU: "price a run",
}


def metric_name(goal: Goal, loads: Sequence[LoadResult]) -> str:
    """What the goal looks at first at these loads, in words."""
    return (_OWN_METRICS if any(load.metric for load in loads) else _METRICS)[goal]


def lower(goal: Goal, load: LoadResult) -> float:
    """The effect that the goal looks at first, its sign turned where higher is better: the lower the better."""
    looked_at = metric(goal, load)
    higher = load.higher_is_better if looked_at is load.p50 else goal is Goal.THROUGHPUT
    return -looked_at.effect if higher else looked_at.effect


def figure_name(load: LoadResult) -> str:
    """What `p50` of a load is."""
    return "p50" if load.metric is None else "metric"


def name(load: LoadResult) -> str:
    """The load in words."""
    if load.name:
        return load.name
    where = ", not pinned" if load.placement == "free" else ""
    return (f"at {load.rate:,.6g}/s" if load.rate else "as fast as it goes") + where
