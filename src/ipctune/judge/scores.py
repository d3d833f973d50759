"""How much each pair counts: a bounded score that grows with a pair's shift and falls again for outliers.

The size of a score depends on the absolute residuals alone, so flipping signs leaves all sizes as they are. This is
what makes the test in `flips` exact whatever the score's shape; the shape only decides how much is found.

This shape was chosen among Tukey's biweight, Hampel's, Welsch's and Cauchy's at several scales, in the simulations of
`benchmarks/judge.py`. At 40 pairs they hardly differ. At the first look, some of its few pairs spoiled, one that never
quite reaches nil finds more: a pair with no score at all can't add to the number of patterns.
"""

from collections.abc import Iterable, Sequence
from math import isfinite

__all__ = ["LEVELS", "checked", "median", "scale_of", "scores", "weight"]

LEVELS = 40
"""The largest score. Scores are whole numbers so that their sums can be counted exactly."""

REACH = 5.0
"""Scale in medians of the absolute residuals. The score peaks at the scale over the square root of 3, which is nearly
two standard deviations of normal residuals."""

TINY = 1e-9
"""A difference in logarithms below this is none: no clock sees it, and rounding makes it."""


def checked(pairs: Iterable[float]) -> tuple[float, ...]:
    """The pairs as floats. Raises ValueError if there are none, or one is NaN or infinite: no verdict from those."""
    values = tuple(float(value) for value in pairs)
    if not values:
        raise ValueError("no pairs to judge")
    if not all(isfinite(value) for value in values):
        raise ValueError("a pair is not a finite number: its measurement failed")
    return values


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones. Raises IndexError if there are none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def scale_of(residuals: Sequence[float]) -> float:
    """What counts as far, from absolute residuals alone; 0 if all residuals are nil."""
    sizes = [abs(r) for r in residuals]
    typical = median(sizes)
    if typical <= TINY:  # most pairs agree exactly, as figures of a coarse clock do
        typical = sum(sizes) / len(sizes)
    return REACH * typical if typical > TINY else 0.0


def weight(ratio: float) -> float:
    """Weight of a residual of `ratio` scales: 1 at the centre, falling towards 0 far away, never reaching it."""
    return 1 / (1 + ratio * ratio) ** 2


# ratio * weight(ratio) is largest at 1/sqrt(3), where it is 3*sqrt(3)/16.
_UNIT = LEVELS / 0.32475952641916445


def scores(residuals: Sequence[float]) -> list[int]:
    """One whole number a residual, -LEVELS to LEVELS, of the residual's sign; 0 only for a nil residual."""
    scale = scale_of(residuals)
    if not scale:
        return [0] * len(residuals)
    return [_score(r, r / scale) for r in residuals]


def _score(residual: float, ratio: float) -> int:
    if abs(residual) <= TINY:
        return 0
    size = max(1, round(_UNIT * abs(ratio) * weight(ratio)))
    return size if residual > 0 else -size
