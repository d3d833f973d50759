"""The randomisation test for pairs: had A and B been the same, each pair's sign was drawn by lot.

The order inside a pair is random, so under "no difference" every pattern of signs was equally likely, whatever the
noise, its drift or its dependence in time. The p value is the share of all 2**n patterns whose summed score is at
least as far from nil as the one seen (R. A. Fisher, The Design of Experiments, 1935, section 21), counted exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, expm1, inf, log, log2, sqrt

from ipctune.judge.normal import quantile
from ipctune.judge.scores import checked, median, scale_of, scores, weight

__all__ = ["Interval", "as_fraction", "bound", "interval", "location", "p_value", "pairs_needed", "pairs_of", "spread"]

_FARTHEST = 60  # doublings of a step before a side counts as unbounded
_STEPS = 8  # halvings of a bracket: 1/256 of its width
_BEYOND = (1.3, 2.0)  # where to look again, in steps, before a side counts as left behind


@dataclass(frozen=True, slots=True)
class Interval:
    """The shifts in log(B / A) that the pairs do not contradict. None: no bound on that side, as with too few pairs."""

    low: float | None
    high: float | None

    def excludes(self, shift: float) -> bool:
        """Whether `shift` (a logarithm) lies outside."""
        return (self.low is not None and shift < self.low) or (self.high is not None and shift > self.high)


def pairs_of(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """log(B / A) of each pair of figures.

    Raises ValueError unless all are finite and positive and there are as many of A as of B.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} figures of A against {len(b)} of B")
    for value in (*a, *b):
        if not 0 < value < inf:
            raise ValueError(f"not a figure that can be compared: {value}")
    return [log(y) - log(x) for x, y in zip(a, b, strict=True)]


def as_fraction(shift: float) -> float:
    """A shift in logarithms as a fraction: log(0.9) is -0.1. Infinite where a float can't hold it."""
    try:
        return expm1(shift)
    except OverflowError:
        return inf


def bound(shift: float | None) -> float | None:
    """An interval's end as a fraction; None (no bound) also where a float can't hold it."""
    fraction = inf if shift is None else as_fraction(shift)
    return None if fraction == inf else fraction


def pairs_needed(alpha: float) -> int:
    """The least number of pairs that can give p <= alpha: all on one side has p = 2**-(n-1). `alpha` in (0, 1)."""
    if not 0 < alpha < 1:
        raise ValueError(f"not a level between 0 and 1: {alpha}")
    return max(1, ceil(1 - log2(alpha) - 1e-12))


def p_value(d: Sequence[float], shift: float = 0.0) -> float:
    """Two-sided p value, 0 < p <= 1, of "B is A shifted by `shift`" for pairs d = log(B / A).

    Exact, not approximate: under that hypothesis p <= x happens at most at the rate x, for every x and n.
    Raises ValueError if there are no pairs or one is not finite.
    """
    return _p_value(checked(d), shift)


def _p_value(d: Sequence[float], shift: float) -> float:
    found = [score for score in scores([x - shift for x in d]) if score]
    return _share_as_far([abs(score) for score in found], abs(sum(found)))


def _share_as_far(sizes: Sequence[int], far: int) -> float:
    """Share of the 2**n ways to sign `sizes` whose sum is at least `far` from nil.

    One big integer holds how many patterns give each sum: the field at position s counts those whose positive scores
    add up to s. Adding a score is one shift and one addition, for all sums at once.
    """
    if far == 0:
        return 1.0
    width = len(sizes) + 1
    counts = 1
    for size in sizes:
        counts += counts << (size * width)
    tail = counts >> ((sum(sizes) + far) // 2 * width)
    # A number is congruent to the sum of its fields modulo 2**width - 1, and that sum is less.
    return 2 * (tail % ((1 << width) - 1)) / (1 << len(sizes))


def location(d: Sequence[float]) -> float:
    """The shift in log(B / A) that the pairs agree on: the centre by the same scores, close to the median.

    Raises ValueError if there are no pairs or one is not finite.
    """
    return _location(checked(d))


def _location(d: Sequence[float]) -> float:
    centre = median(d)
    for _ in range(50):
        scale = scale_of([x - centre for x in d])
        if not scale:
            return centre
        weights = [weight((x - centre) / scale) for x in d]
        step = sum(w * (x - centre) for w, x in zip(weights, d, strict=True)) / sum(weights)
        centre += step
        if abs(step) < 1e-6 * scale:
            return centre
    return centre


def spread(d: Sequence[float], centre: float) -> float:
    """Standard error of the location, in logarithms; 0 where all pairs agree or there is one alone."""
    scale = scale_of([x - centre for x in d])
    if not scale or len(d) < 2:
        return 0.0
    ratios = [(x - centre) / scale for x in d]
    squares = sum((u * weight(u)) ** 2 for u in ratios)
    # The slope can vanish where pairs fall into two groups; then the error is only said to be large.
    slope = sum((1 - 3 * u * u) / (1 + u * u) ** 3 for u in ratios)
    return scale * sqrt(squares * len(d) / (len(d) - 1)) / max(slope, 0.1 * len(d))


def interval(d: Sequence[float], alpha: float) -> Interval:
    """The shifts that `p_value` does not reject at `alpha`: an interval of confidence 1 - alpha, exact for any n.

    Contains `location(d)`. Found outward from there, so that where acceptance is not one piece the outer one counts.
    Raises ValueError if there are no pairs, one is not finite, or alpha is not in (0, 1).
    """
    values = checked(d)
    if len(values) < pairs_needed(alpha):
        return Interval(None, None)
    centre = _location(values)
    step = max(quantile(1 - alpha / 2) * spread(values, centre), 1e-6)
    low = _edge(values, alpha, centre, -step)
    high = _edge(values, alpha, centre, step)
    if _p_value(values, 0.0) > alpha:  # the interval may not say more than the test of "no difference"
        low = None if low is None else min(low, 0.0)
        high = None if high is None else max(high, 0.0)
    return Interval(low, high)


def _edge(d: Sequence[float], alpha: float, centre: float, step: float) -> float | None:
    """Where acceptance ends on the side of `step`'s sign, or None if it was not seen to end."""
    inside = 0.0
    outside = step
    for _ in range(_FARTHEST):
        again = next((far for far in (1.0, *_BEYOND) if _p_value(d, centre + far * outside) > alpha), None)
        if again is None:
            return centre + _halved(d, alpha, centre, inside, outside)
        inside = again * outside
        outside = inside * 1.5
    return None


def _halved(d: Sequence[float], alpha: float, centre: float, inside: float, outside: float) -> float:
    """The end of acceptance between the two, rounded outward."""
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if _p_value(d, centre + middle) > alpha:
            inside = middle
        else:
            outside = middle
    return outside
