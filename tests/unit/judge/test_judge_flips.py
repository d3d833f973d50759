"""The randomisation test is exact, blind to units and to which arm is called A, and deaf to outliers."""

from itertools import product
from math import inf, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipctune.judge.flips import as_fraction, interval, location, p_value, pairs_needed, pairs_of
from ipctune.judge.scores import LEVELS, scores

# Multiples of 2**-10, so that sums and differences are exact and only the judge's own arithmetic is tested.
steps = st.integers(-4096, 4096).map(lambda k: k / 1024)
pairs = st.lists(steps, min_size=1, max_size=24)
figures = st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=40)


def by_enumeration(d: list[float], shift: float) -> float:
    """The definition: flip each residual's sign in all ways, score anew each time, count."""
    residuals = [x - shift for x in d]
    seen = abs(sum(scores(residuals)))
    patterns = list(product((1, -1), repeat=len(d)))
    flipped = (sum(scores([sign * r for sign, r in zip(signs, residuals, strict=True)])) for signs in patterns)
    return sum(abs(total) >= seen for total in flipped) / len(patterns)


@given(st.lists(steps, min_size=1, max_size=8), steps)
@settings(max_examples=60, deadline=None)
def test_p_is_what_enumeration_gives(d: list[float], shift: float) -> None:
    assert p_value(d, shift) == pytest.approx(by_enumeration(d, shift), abs=1e-12)


def test_p_is_what_enumeration_gives_for_ten() -> None:
    d = [0.11, -0.02, 0.07, 0.05, -1.3, 0.04, 0.09, 0.9, -0.01, 0.03]
    assert p_value(d) == pytest.approx(by_enumeration(d, 0.0), abs=1e-12)


@given(st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=7))
@settings(max_examples=40, deadline=None)
def test_rejects_no_more_than_its_level(sizes: list[float]) -> None:
    """Over all patterns of signs, which are equally likely without a difference, p <= x at most at the rate x."""
    signs = list(product((1, -1), repeat=len(sizes)))
    found = [p_value([s * x for s, x in zip(pattern, sizes, strict=True)]) for pattern in signs]
    for level in (0.02, 0.05, 0.25, 0.5):
        assert sum(p <= level for p in found) <= level * len(found)


@pytest.mark.parametrize("n", [2, 5, 12, 40, 200])
def test_all_on_one_side_is_the_least_p(n: int) -> None:
    assert p_value([0.1 + i / 1000 for i in range(n)]) == 2.0 ** -(n - 1)


@pytest.mark.parametrize(("alpha", "n"), [(0.05, 6), (0.005, 9), (0.5, 2), (2.0**-10, 11), (0.9, 2)])
def test_pairs_needed(alpha: float, n: int) -> None:
    assert pairs_needed(alpha) == n
    assert 2.0 ** -(n - 1) <= alpha < 2.0 ** -(n - 2)


@given(pairs)
@settings(deadline=None)
def test_swapping_the_arms_mirrors(d: list[float]) -> None:
    mirrored = [-x for x in d]
    here, there = interval(d, 0.05), interval(mirrored, 0.05)
    assert p_value(d) == p_value(mirrored)
    assert location(d) == -location(mirrored)
    assert (here.low, here.high) == tuple(None if x is None else -x for x in (there.high, there.low))


@given(pairs, steps)
@settings(deadline=None)
def test_a_shift_of_all_pairs_shifts_the_answer(d: list[float], shift: float) -> None:
    moved = [x + shift for x in d]
    assert p_value(moved, shift) == p_value(d)
    assert location(moved) == pytest.approx(location(d) + shift, abs=1e-5)


@given(st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 9999)), min_size=8, max_size=20), st.integers(-9, 9))
@settings(deadline=None)
def test_units_do_not_matter(found: list[tuple[int, int]], k: int) -> None:
    """The same figures in another unit (a power of two, so that no digit is lost)."""
    a, b = [float(x) for x, _ in found], [float(y) for _, y in found]
    other = pairs_of([x * 2.0**k for x in a], [y * 2.0**k for y in b])
    assert other == pytest.approx(pairs_of(a, b), abs=1e-12)
    assert location(other) == pytest.approx(location(pairs_of(a, b)), abs=1e-5)


@given(figures, st.sampled_from([0.5, 0.05, 0.001]))
@settings(deadline=None)
def test_never_raises_on_figures(a: list[float], alpha: float) -> None:
    b = list(reversed(a))
    d = pairs_of(a, b)
    found = interval(d, alpha)
    assert 0 < p_value(d) <= 1
    assert found.low is None or found.low <= location(d)
    assert found.high is None or found.high >= location(d)


@given(pairs)
@settings(deadline=None)
def test_the_interval_says_no_more_than_the_test(d: list[float]) -> None:
    if p_value(d) > 0.05:
        assert not interval(d, 0.05).excludes(0.0)


@given(st.lists(steps, min_size=6, max_size=24))
@settings(deadline=None)
def test_a_stricter_level_is_not_narrower(d: list[float]) -> None:
    wide, narrow = interval(d, 0.04), interval(d, 0.4)
    slack = 0.02 * ((wide.high or 0) - (wide.low or 0)) + 1e-9
    assert wide.low is None or (narrow.low is not None and wide.low <= narrow.low + slack)
    assert wide.high is None or (narrow.high is not None and wide.high >= narrow.high - slack)


def test_too_few_pairs_bound_nothing() -> None:
    found = interval([0.1, 0.2, 0.15, 0.12, 0.11], 0.05)
    assert (found.low, found.high) == (None, None)
    assert not found.excludes(0.0)


def test_outliers_hardly_move_the_answer() -> None:
    clean = [-0.05 + 0.001 * (i % 7 - 3) for i in range(20)]
    spoiled = [*clean[:-2], 2.0, -2.2]
    assert location(spoiled) == pytest.approx(-0.05, abs=0.002)
    assert interval(spoiled, 0.05).excludes(0.0)


def test_pairs_that_agree_exactly() -> None:
    """Figures of a coarse clock: most pairs the same, or all."""
    assert p_value([0.0] * 12) == 1.0
    assert location([0.25] * 12) == 0.25
    assert interval([0.25] * 12, 0.05).excludes(0.0)
    assert location([0.25] * 12 + [3.0] * 4) == pytest.approx(0.25, abs=0.3)


@given(st.lists(steps, min_size=1, max_size=40))
def test_scores_keep_their_sizes_when_signs_flip(d: list[float]) -> None:
    found = scores(d)
    assert [abs(s) for s in scores([-abs(x) for x in d])] == [abs(s) for s in found]
    assert max(map(abs, found)) <= LEVELS


@pytest.mark.parametrize("bad", [[], [nan], [0.1, inf], [-inf, 0.2]])
def test_a_failed_computation_is_no_answer(bad: list[float]) -> None:
    for judge in (p_value, location, lambda d: interval(d, 0.05)):
        with pytest.raises(ValueError, match="pair"):
            judge(bad)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [0.0]), ([-1.0], [1.0]), ([nan], [1.0]), ([1.0], [inf]), ([1.0], []), ([1.0], [1.0, 2.0])]
)
def test_figures_that_cannot_be_compared(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"figure"):
        pairs_of(a, b)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0])
def test_a_level_lies_between_nil_and_one(alpha: float) -> None:
    with pytest.raises(ValueError, match="level"):
        interval([0.1, 0.2], alpha)


def test_fractions() -> None:
    assert as_fraction(log(0.9)) == pytest.approx(-0.1)
    assert as_fraction(1e4) == inf
