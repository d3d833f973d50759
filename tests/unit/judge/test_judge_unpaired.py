"""Two series that are no pairs: the rank interval is exact, few blocks give none, and a level that moves counts."""

import itertools
import random
from math import comb, log

import pytest
from tests.noise import blocks

from ipctune.judge import unpaired
from ipctune.judge.flips import Interval


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3), (2, 5), (4, 4)])
def test_rank_sums_are_counted_as_by_hand(n: int, m: int) -> None:
    by_hand = [0] * (n * m + 1)
    for ranks in itertools.combinations(range(n + m), n):
        by_hand[sum(ranks) - sum(range(n))] += 1
    assert list(unpaired._ways(n, m)) == by_hand
    assert sum(by_hand) == comb(n + m, n)


def test_too_few_blocks_have_no_interval() -> None:
    assert unpaired.blocks_needed(0.05) == 4
    assert unpaired.interval([1.0] * 3, [2.0] * 3, 0.05) == Interval(None, None)
    assert unpaired.interval([1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.3], 0.05).excludes(0.0)
    with pytest.raises(ValueError, match="level"):
        unpaired.blocks_needed(0.0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(3)
    held = 0
    for _ in range(500):
        a = [rng.gauss(0, 1) for _ in range(7)]
        b = [rng.gauss(0.5, 1) for _ in range(9)]
        held += not unpaired.interval(a, b, 0.05).excludes(0.5)
    assert held / 500 >= 0.93


@pytest.mark.parametrize("wrong", [[], [1.0, float("nan")], [float("inf")]])
def test_no_figures_are_no_interval(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no pairs|not a finite"):
        unpaired.shift(wrong, [1.0])


def test_many_blocks_are_put_together_with_their_neighbours() -> None:
    assert unpaired.grouped([3.0, 1.0, 2.0]) == [3.0, 1.0, 2.0]
    found = unpaired.grouped([float(at // 100) for at in range(1000)], 10)
    assert found == [float(at) for at in range(10)]


def test_a_level_that_moves_is_seen_and_a_neighbour_that_came_and_went_is_not() -> None:
    rng = random.Random(4)
    still = [rng.gauss(0, 0.01) for _ in range(160)]
    drifted = [value + 0.2 * at / 160 for at, value in enumerate(still)]
    visited = [value + (1.0 if 40 <= at < 60 else 0.0) for at, value in enumerate(still)]
    assert (unpaired.wander(still) or 1) < 0.02
    assert 0.08 < (unpaired.wander(drifted) or 1) < 0.14
    assert (unpaired.wander(visited) or 1) < 0.02
    assert unpaired.wander(still[:23]) is None


def test_widened_leaves_no_bound_unbound() -> None:
    assert unpaired.widened(Interval(None, 0.5), 0.25) == Interval(None, 0.75)
    assert unpaired.widened(Interval(-0.5, None), 0.25) == Interval(-0.75, None)


def test_equal_series_in_dependent_noise_are_seldom_told_apart() -> None:
    rng = random.Random(5)
    wrong = 0
    for _ in range(150):
        a, b = ([log(value) for value in blocks(rng, "A" * 60, 0)] for _ in range(2))
        moved = (unpaired.wander(a) or 0) + (unpaired.wander(b) or 0)
        wrong += unpaired.widened(unpaired.interval(a, b, 0.05), moved).excludes(0.0)
    assert wrong / 150 <= 0.06
