"""The gain that is reported: an interval from pairs that took no part in the decision."""

from collections.abc import Sequence

from ipctune.judge.flips import as_fraction, bound, interval, location
from ipctune.judge.verdict import Estimate

__all__ = ["confirm"]


def confirm(d: Sequence[float], alpha: float = 0.05) -> Estimate:
    """Effect and interval of confidence 1 - alpha from a number of pairs fixed before the first was measured.

    `d` are logarithms of B over A. A trial stops when its pairs look good, so its own effect flatters; measure again
    and report this. Raises ValueError if there are no pairs, one is not finite, or alpha is not in (0, 1).
    """
    found = interval(d, alpha)
    return Estimate(
        effect=as_fraction(location(d)),
        low=bound(found.low),
        high=bound(found.high),
        pairs=len(d),
    )
