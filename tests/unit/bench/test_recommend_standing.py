"""Who is told apart from the fastest, from figures made by hand and from simulated noise."""

import random
import string

import pytest
from tests.noise import blocks

from ipctune.bench.standing import (
    ALPHA,
    Elimination,
    against,
    all_beats,
    merged,
    middle,
    shifts,
    unbeaten,
)

NONE: frozenset[tuple[str, str]] = frozenset()


def made(rounds: int, seed: int = 1, **levels: float) -> dict[str, dict[int, float]]:
    """Figures that drift together, each with a noise of its own."""
    rng = random.Random(seed)
    drift = [1 + 0.3 * at / rounds for at in range(rounds)]
    return {
        name: {at: level * drift[at] * rng.uniform(0.97, 1.03) for at in range(rounds)}
        for name, level in levels.items()
    }


def upto(figures: dict[str, dict[int, float]], rounds: int, among: list[str]) -> dict[str, dict[int, float]]:
    return {name: {at: own[at] for at in range(rounds)} for name, own in figures.items() if name in among}


def eliminated(figures: dict[str, dict[int, float]], most: int) -> Elimination:
    """A trial over the figures, as a run goes through it; who is out gets no more of them."""
    trial, seen = Elimination(sorted(figures), most), {name: dict[int, float]() for name in figures}
    for at in range(most):
        for name in trial.active:
            seen[name][at] = figures[name][at]
        if trial.look(seen, last=False):
            break
    return trial


def test_only_rounds_that_hold_both_count() -> None:
    figures = {"a": {1: 10.0, 2: 20.0, 3: 5.0}, "b": {2: 40.0, 3: 10.0, 4: 1.0}}
    assert shifts(figures, "a", "b") == pytest.approx([0.693, 0.693], abs=1e-3)
    assert shifts(figures, "a", "c") == []
    assert against(figures, "a", "c", 0.05) is None


def test_a_slower_one_is_told_apart_and_leaves() -> None:
    figures = made(20, a=10.0, b=13.0, c=30.0)
    trial = eliminated(figures, 20)
    assert trial.active == ["a"]
    told = trial.told("a", "b")
    assert told is not None
    assert told.low is not None
    assert 0.2 < told.low < told.effect < 0.4
    flipped = trial.told("b", "a")
    assert flipped is not None
    assert flipped.effect == pytest.approx(1 / (1 + told.effect) - 1)
    assert flipped.low is not None
    assert flipped.low < flipped.effect < 0


def test_equal_ones_are_not_told_apart() -> None:
    assert eliminated(made(20, a=10.0, b=10.0, c=10.0), 20).active == ["a", "b", "c"]


def test_figures_that_agree_exactly_are_no_difference() -> None:
    figures = {name: dict.fromkeys(range(20), 10.0) for name in "ab"}
    trial = eliminated(figures, 20)
    assert trial.active == ["a", "b"]
    assert all_beats(figures, ["a", "b"]) == NONE


def test_less_than_one_per_cent_is_no_win() -> None:
    figures = {"a": dict.fromkeys(range(20), 10.0), "b": dict.fromkeys(range(20), 10.05)}
    assert all_beats(figures, ["a", "b"]) == NONE
    assert eliminated(figures, 20).active == ["a", "b"]


def test_too_few_rounds_tell_nothing() -> None:
    figures = made(4, a=10.0, b=30.0)
    assert all_beats(figures, ["a", "b"]) == NONE
    assert Elimination(["a", "b"], 4).look(figures, last=True)


def test_the_last_look_spends_what_is_left() -> None:
    figures = made(12, a=10.0, b=13.0)
    trial = Elimination(["a", "b"], 40)
    assert not trial.look(figures)
    assert trial.look(figures, last=True)
    assert trial.active == ["a"]


def test_measurements_that_contradict_say_nothing() -> None:
    first = frozenset({("a", "b"), ("a", "c")})
    assert merged(first, frozenset({("b", "a")})) == frozenset({("a", "c")})


def test_whom_nobody_beats() -> None:
    assert unbeaten("abc", frozenset({("a", "b"), ("b", "c")})) == ["a"]
    assert unbeaten("ab", frozenset({("a", "b"), ("b", "a")})) == ["a", "b"]
    assert unbeaten("bc", frozenset({("a", "b")})) == ["b", "c"]
    assert middle({"a": {1: 3.0, 2: 1.0, 3: 2.0}}, "a") == 2.0
    assert middle({}, "a") == float("inf")


def noisy(seed: int, count: int, rounds: int, effect: float = 0.0) -> dict[str, dict[int, float]]:
    """Blocks of a shared machine, in rounds of random order; of all, only B is faster by `effect`."""
    rng = random.Random(seed)
    arms = string.ascii_uppercase[:count]
    order = [arm for _ in range(rounds) for arm in rng.sample(arms, count)]
    figures: dict[str, dict[int, float]] = {arm: {} for arm in arms}
    for at, (arm, figure) in enumerate(zip(order, blocks(rng, order, effect), strict=True)):
        figures[arm][at // count] = figure
    return figures


def test_equal_ones_are_rarely_told_apart() -> None:
    """A/A: any pair told apart, in deciding or when measured again, in 5 % of runs at most; a few more by chance."""
    runs = 150
    deciding = sum(bool(eliminated(noisy(seed, 5, 24), 24).beats) for seed in range(runs))
    again = sum(bool(all_beats(noisy(seed, 4, 14), list("ABCD"))) for seed in range(runs, 2 * runs))
    most = 2 * ALPHA * runs + 3 * (2 * ALPHA * runs) ** 0.5
    assert deciding + again <= most


def test_a_real_difference_is_found() -> None:
    found = [eliminated(noisy(seed, 4, 40, -0.3), 40).active for seed in range(30)]
    assert sum(active == ["B"] for active in found) >= 25
