"""When a trial stops and with which word."""

from math import inf, log, log1p, nan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctune.judge.confirm import confirm
from ipctune.judge.flips import interval, location, pairs_needed, pairs_of
from ipctune.judge.sequential import Plan, Word, alpha_at, decide, level, plan


def around(effect: float, scatter: float, n: int, seed: int = 1) -> list[float]:
    rng = Random(seed)
    return [log1p(effect) + rng.gauss(0, scatter) for _ in range(n)]


@given(st.integers(1, 300), st.floats(0.001, 0.5), st.integers(1, 100))
def test_looks_spend_no_more_than_the_level(n: int, alpha: float, family: int) -> None:
    made = plan(n, alpha=alpha, family=family)
    assert made.looks[-1] == n
    assert list(made.looks) == sorted(set(made.looks))
    assert sum(alpha_at(made, i) for i in range(len(made.looks))) == pytest.approx(alpha / family)
    assert all(at >= pairs_needed(alpha_at(made, i)) for i, at in enumerate(made.looks[:-1]))


@pytest.mark.parametrize(("n", "alpha", "family"), [(0, 0.05, 1), (40, 0.0, 1), (40, 1.0, 1), (40, 0.05, 0)])
def test_no_plan_for_nonsense(n: int, alpha: float, family: int) -> None:
    with pytest.raises(ValueError, match="no plan"):
        plan(n, alpha=alpha, family=family)


def test_a_look_uses_its_own_level_and_the_last_one_what_is_left() -> None:
    made = Plan(40, (14, 24, 40), (0.1, 0.2, 0.7), 0.05, 10)
    assert level(made, 14) == alpha_at(made, 0)
    assert level(made, 15) is None
    assert level(made, 40) == level(made, 55) == alpha_at(made, 2)
    assert level(made, 24, last=True) == pytest.approx(0.9 * 0.005)
    assert level(made, 30, last=True) == pytest.approx(0.7 * 0.005)
    assert level(made, 9, last=True) == pytest.approx(0.005)


def test_a_large_effect_ends_the_trial_at_the_first_look() -> None:
    made = plan(40, family=10)
    found = decide(made, around(-0.89, 0.15, made.looks[0]))
    assert (found.verdict, found.stop) == (Word.BETTER, True)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.effect < found.high < 0
    assert found.effect == pytest.approx(-0.89, abs=0.02)


def test_direction() -> None:
    slower, faster = around(0.3, 0.05, 40), around(-0.3, 0.05, 40)
    made = plan(40)
    assert decide(made, slower).verdict is Word.WORSE
    assert decide(made, slower, higher_is_better=True).verdict is Word.BETTER
    assert decide(made, faster, higher_is_better=True).verdict is Word.WORSE
    assert decide(made, slower, higher_is_better=True).effect > 0


def test_an_effect_not_worth_having_is_no_difference() -> None:
    found = decide(plan(40), around(-0.004, 0.001, 40))
    assert (found.verdict, found.stop) == (Word.NO_DIFFERENCE, True)
    assert decide(plan(40), around(-0.004, 0.001, 40), least=0.001).verdict is Word.BETTER


def test_equal_arms_that_scatter_widely_stay_undecided() -> None:
    found = decide(plan(40, family=10), around(0, 0.15, 40))
    assert (found.verdict, found.stop) == (Word.UNDECIDED, True)
    assert found.could_have_seen is not None
    assert 0.05 < found.could_have_seen < 0.15


def test_equal_arms_stop_early_for_futility() -> None:
    made = plan(40, family=10)
    still = [x - location(around(0, 0.05, 24)) for x in around(0, 0.05, 24)]
    found = decide(made, still)
    assert found.stop
    assert found.verdict in (Word.UNDECIDED, Word.NO_DIFFERENCE)


def test_between_looks_nothing_is_decided() -> None:
    found = decide(plan(40), around(-0.5, 0.01, 20))
    assert (found.verdict, found.stop, found.low) == (Word.UNDECIDED, False, None)
    assert "24 pairs" in found.reason
    assert decide(plan(40), around(-0.5, 0.01, 20), last=True).verdict is Word.BETTER


def test_too_few_pairs_say_how_many_it_takes() -> None:
    found = decide(plan(7, family=10), around(-0.5, 0.01, 7))
    assert (found.verdict, found.stop) == (Word.UNDECIDED, True)
    assert "needs 9" in found.reason
    assert found.could_have_seen is None


@pytest.mark.parametrize("bad", [[], [nan] * 40, [*([0.1] * 39), inf]])
def test_a_failed_computation_is_never_a_verdict(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="pair"):
        decide(plan(40), bad)
    with pytest.raises(ValueError, match="pair"):
        confirm(bad)


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=40), st.booleans(), st.booleans())
@settings(deadline=None)
def test_never_raises_and_mirrors(a: list[float], last: bool, higher: bool) -> None:
    b = [*a[1:], a[0]]
    made = plan(40, family=3)
    here = decide(made, pairs_of(a, b), last=last, higher_is_better=higher)
    there = decide(made, pairs_of(b, a), last=last, higher_is_better=not higher)
    # Seen from the other arm with the other direction it is the same trial; 1 % more and 1 % less differ in a hair.
    assert here.stop == there.stop
    if abs(here.effect) > 0.03:
        assert here.verdict == there.verdict


def test_confirm_is_a_plain_interval() -> None:
    d = around(-0.2, 0.05, 20)
    found = confirm(d)
    bounds = interval(d, 0.05)
    assert found.pairs == 20
    assert bounds.low is not None
    assert found.low is not None
    assert log(1 + found.low) == pytest.approx(bounds.low)
    assert found.low < found.effect < (found.high or 0) < 0
    assert confirm([0.1, 0.2]).low is None


def test_a_large_effect_is_not_called_no_difference_where_more_is_asked() -> None:
    found = decide(plan(40), around(-0.15, 0.02, 40), least=0.2)
    assert found.verdict is Word.UNDECIDED
