"""Two series of blocks that were not measured in pairs: two runs, at different times.

The interval is that of Hodges and Lehmann (Estimates of Location Based on Rank Tests, 1963): the shifts of B that the
rank test of Mann and Whitney does not reject, exact for any noise as long as blocks depend on each other little. Two
runs at different times meet a machine at different levels, which no such test sees: `wander` is how far the level moved
within a run, and the interval is to be widened by that of both.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import comb

from ipctune.judge.flips import Interval
from ipctune.judge.scores import checked, median

__all__ = ["MOST", "blocks_needed", "grouped", "interval", "shift", "wander", "widened"]

MOST = 40
"""Blocks of a series that are compared; of more, neighbours are put together, as they depend on each other anyway."""
_PARTS = 8
_IN_A_PART = 12


def blocks_needed(alpha: float) -> int:
    """The least number of blocks on each side that can give p <= alpha: 2 over the ways to share them out."""
    if not 0 < alpha < 1:
        raise ValueError(f"not a level between 0 and 1: {alpha}")
    return next(n for n in range(1, 1000) if alpha * comb(2 * n, n) >= 2)


def grouped(values: Sequence[float], most: int = MOST) -> list[float]:
    """At most `most` values in the same order: medians of neighbours. Raises ValueError as `scores.checked` does."""
    found = checked(values)
    if len(found) <= most:
        return list(found)
    edges = [round(at * len(found) / most) for at in range(most + 1)]
    return [median(found[low:high]) for low, high in pairwise(edges)]


def _differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    first, second = grouped(a), grouped(b)
    return sorted(y - x for x in first for y in second)


def shift(a: Sequence[float], b: Sequence[float]) -> float:
    """By how much B lies above A: the median of all differences. Raises ValueError as `scores.checked` does."""
    return median(_differences(a, b))


def interval(a: Sequence[float], b: Sequence[float], alpha: float) -> Interval:
    """The shifts of B against A that are not rejected at `alpha`; no bounds where there are too few blocks."""
    found = _differences(a, b)
    outside = _rejected(min(len(a), MOST), min(len(b), MOST), alpha)
    if not outside:
        return Interval(None, None)
    return Interval(found[outside - 1], found[-outside])


def _rejected(n: int, m: int, alpha: float) -> int:
    """How many of the rank sums from the lowest have a probability of alpha / 2 together."""
    allowed = alpha / 2 * comb(n + m, n)
    seen = 0
    for at, count in enumerate(_ways(n, m)):
        seen += count
        if seen > allowed:
            return at
    return 0


@cache
def _ways(n: int, m: int) -> tuple[int, ...]:
    """In how many ways n of n + m ranks give each rank sum, from the lowest: Gauss' binomial coefficient."""
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for at in range(n * m, m + i - 1, -1):
            counts[at] -= counts[at - m - i]
        for at in range(i, n * m + 1):
            counts[at] += counts[at - i]
    return tuple(counts)


def wander(series: Sequence[float]) -> float | None:
    """How far the level of a run moved either way: half of what lies between the medians of its parts, by time.

    `series` are all blocks of a run in time's order, each as its distance from the median of its own kind, in
    logarithms. Where there are parts enough, the one farthest off is left out: a neighbour that came and went moves no
    median. The fewer parts, the more is allowed for what they did not show; None with too few blocks to tell.
    """
    parts = min(_PARTS, len(series) // _IN_A_PART)
    if parts < 2:
        return None
    levels = grouped(series, parts)
    left_out = int(parts > _PARTS / 2)
    middle = median(levels)
    kept = sorted(levels, key=lambda level: abs(level - middle))[: parts - left_out]
    return (max(kept) - min(kept)) / 2 * _PARTS / (parts - 2 * left_out)


def widened(found: Interval, by: float) -> Interval:
    """The same with so much more on either side."""
    low = None if found.low is None else found.low - by
    return Interval(low, None if found.high is None else found.high + by)
