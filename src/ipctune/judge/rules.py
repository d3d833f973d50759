"""The guard of the tail: what an improvement may not do to it. Intervals are in log(B / A); lower is better."""

from math import log1p

from ipctune.judge.flips import Interval

__all__ = ["p99_worse"]


def p99_worse(interval: Interval | None, bound: float = 0.25) -> bool | None:
    """Whether the interval lies wholly beyond `bound` (a fraction) more; None if unknown, which vetoes nothing."""
    if interval is None or (interval.low is None and interval.high is None):
        return None
    return interval.low is not None and interval.low > log1p(bound)
