"""The front of what was tried: what is on it is beaten by nothing, and all else by something on it."""

import random
from dataclasses import replace

import pytest
from tests.unit.tune.made import BETTER, SAME, WORSE, effect, figures, load, trial

from ipctune.tune.front import AS_IT_IS, Spot
from ipctune.tune.model import Outcome
from ipctune.tune.pareto import dominates, fronts, ranked
from ipctune.workload.model import Metric


def spot(name: str, gain: float, price: float, memory: int = 0) -> Spot:
    return Spot(name, name, {}, gain, price, memory)


def drawn(seed: int) -> list[Spot]:
    """Spots on a coarse grid, so that many are equal in something."""
    rng = random.Random(seed)
    return [spot(f"s{i}", rng.randrange(-2, 6) / 10, rng.randrange(-3, 4) / 2, rng.randrange(3)) for i in range(12)]


@pytest.mark.parametrize("seed", range(40))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(seed: int) -> None:
    found = ranked(drawn(seed))
    front = [one for one in found if one.beaten_by is None]
    assert front
    for one in found:
        beaten = [other.knob for other in front if dominates(other, one)]
        assert (one.beaten_by in beaten) if one.beaten_by is not None else not beaten
    assert [replace(one, beaten_by=None) for one in found] == drawn(seed)


def test_more_for_less_dominates_and_equals_do_not() -> None:
    assert dominates(spot("a", 0.5, 0.1), spot("b", 0.5, 0.2))
    assert dominates(spot("a", 0.6, 0.1), spot("b", 0.5, 0.1))
    assert dominates(spot("a", 0.5, 0.1), spot("b", 0.5, 0.1, memory=1))
    assert not dominates(spot("a", 0.5, 0.1), spot("b", 0.5, 0.1))
    assert not dominates(spot("a", 0.6, 0.2), spot("b", 0.5, 0.1))


def test_a_front_a_load_with_the_price_in_its_unit() -> None:
    dear = load(1000.0, p50=BETTER, price=WORSE, tried=figures(20.0, 2.0), extra_vcpus=1.8)
    lease = trial(Outcome.REJECTED, knob="cpu-dma-latency", loads=(dear, load(p50=BETTER)))
    at_rate, flat = fronts([trial(Outcome.KEPT), lease])
    assert (at_rate.load, at_rate.unit) == ("at 1,000/s", "vCPU")
    assert (flat.load, flat.unit) == ("as fast as it goes", "ns a message")
    assert [(s.knob, s.gain, s.price) for s in at_rate.spots] == [
        (AS_IT_IS, 0.0, 0.0), ("haltpoll", 0.0, 0.0), ("cpu-dma-latency", 0.5, 1.8),
    ]  # fmt: skip
    assert [s.beaten_by for s in at_rate.spots] == [None, None, None]
    assert flat.spots[1].beaten_by == lease.title  # it gives nothing, for the same price


def test_what_costs_and_gives_nothing_is_worse_than_leaving_it() -> None:
    idle = trial(Outcome.NO_GAIN, knob="dear", loads=(load(1000.0, price=WORSE, extra_vcpus=0.5),))
    (front,) = fronts([idle, trial(Outcome.NO_GAIN, loads=(load(1000.0),))])
    assert front.spots[1].beaten_by == "as it is"


def test_noise_is_neither_gain_nor_price() -> None:
    noise = load(1000.0, p50=effect("undecided", -0.3, 0.5), price=SAME, extra_vcpus=-0.4)
    (front,) = fronts([trial(Outcome.UNDECIDED, loads=(noise,))] * 2)
    assert [(s.gain, s.price) for s in front.spots] == [(0.0, 0.0)] * 3


@pytest.mark.parametrize(("higher", "gain"), [(True, -0.5), (False, 0.5)])
def test_a_metric_that_is_better_when_higher_gains_upwards(higher: bool, gain: float) -> None:
    own = load(metric=Metric("x", higher), p50=BETTER, name="in a run of the command", price=WORSE)
    (front,) = fronts([trial(Outcome.KEPT, loads=(own,))] * 2)
    assert front.spots[1].gain == pytest.approx(gain)
    assert front.unit == "s a run"


def test_memory_counts_where_a_setting_takes_any() -> None:
    pipe = trial(Outcome.ADVICE, knob="pipe-capacity", value={"capacity": "65536"}, loads=(load(p50=BETTER),))
    large = replace(pipe, value={"capacity": "1048576"})
    (front,) = fronts([pipe, large])
    assert [s.memory for s in front.spots] == [0, 65536, 1048576]
    assert front.spots[2].beaten_by == pipe.title


def test_one_candidate_is_no_front() -> None:
    assert fronts([trial(Outcome.KEPT), trial(Outcome.REFUSED, loads=())]) == ()
