"""The guards: what an improvement may not do to the other figures. Intervals are in log(B / A); lower is better."""

from math import log1p

from ipctune.judge.flips import Interval

__all__ = ["not_worse", "p99_worse"]


def not_worse(interval: Interval, margin: float = 0.10) -> bool:
    """Whether B is shown not to be worse: the interval does not lie wholly above nil and excludes `margin` more.

    False also where it is merely not shown, as with too few pairs: more blocks, or no keep. `margin` is a fraction.
    """
    wholly_worse = interval.low is not None and interval.low > 0
    return not wholly_worse and interval.excludes(log1p(margin))


def p99_worse(interval: Interval | None, bound: float = 0.25) -> bool | None:
    """Whether the interval lies wholly beyond `bound` (a fraction) more; None if unknown, which vetoes nothing."""
    if interval is None or (interval.low is None and interval.high is None):
        return None
    return interval.low is not None and interval.low > log1p(bound)
