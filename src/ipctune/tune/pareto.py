"""The Pareto front of what was tried: who gives more for less. Pure functions of trials.

A candidate is dominated where another one (or leaving everything as it is) gains at least as much, at no higher price
and with no more memory, and is better in one of the three. What is left is a matter of taste: that is the front.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ipctune.knobs.registry import KNOBS
from ipctune.tune.front import AS_IT_IS, Front, Spot
from ipctune.tune.goals import name
from ipctune.tune.model import Effect, LoadResult, Trial

__all__ = ["dominates", "fronts", "ranked"]

_START = Spot(AS_IT_IS, "as it is", {}, 0.0, 0.0)


def fronts(trials: Sequence[Trial]) -> tuple[Front, ...]:
    """One front a load, the loads in the order of the trials; none where fewer than two candidates were measured."""
    measured = [trial for trial in trials if trial.loads]
    if len(measured) < 2:
        return ()
    loads = {name(load): load for trial in measured for load in trial.loads}
    found = []
    for at, load in loads.items():
        spots = [_spot(t, own) for t in measured for own in t.loads if name(own) == at]
        found.append(Front(at, _unit(load), ranked([_START, *spots])))
    return tuple(found)


def dominates(one: Spot, other: Spot) -> bool:
    """Whether `one` is at least as good in gain, price and memory, and better in one of them."""
    better = (one.gain, -one.price, -one.memory)
    worse = (other.gain, -other.price, -other.memory)
    return better != worse and all(a >= b for a, b in zip(better, worse, strict=True))


def ranked(spots: Iterable[Spot]) -> tuple[Spot, ...]:
    """The spots, each dominated one with the member of the front that gains most of those which beat it."""
    spots = tuple(spots)
    front = [spot for spot in spots if not any(dominates(other, spot) for other in spots)]
    return tuple(replace(spot, beaten_by=_beater(front, spot)) for spot in spots)


def _beater(front: Sequence[Spot], spot: Spot) -> str | None:
    over = [one for one in front if dominates(one, spot)]
    return max(over, key=lambda one: (one.gain, -one.price)).title if over else None


def _spot(trial: Trial, load: LoadResult) -> Spot:
    sign = 1 if load.higher_is_better else -1
    return Spot(
        knob=trial.knob,
        title=trial.title,
        value=trial.value,
        gain=sign * _shown(load.p50) * load.p50.effect,
        price=_shown(load.price) * _price(load),
        memory=_memory(trial),
    )


def _shown(found: Effect) -> int:
    """1 where the interval leaves out nil, else 0: noise is neither gain nor price."""
    return int(found.word in ("better", "worse"))


def _unit(load: LoadResult) -> str:
    if load.metric is not None:
        return "s a run"
    return "vCPU" if load.rate else "ns a message"


def _price(load: LoadResult) -> float:
    if load.rate and load.metric is None:
        return load.extra_vcpus
    grown = load.tried.price_ns_per_message - load.now.price_ns_per_message
    return grown if load.metric is None else grown / 1e9


def _memory(trial: Trial) -> int:
    knob = KNOBS.get(trial.knob)
    return 0 if knob is None or knob.memory is None else knob.memory(trial.value)
