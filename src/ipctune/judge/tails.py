"""The tail of all samples together: a stall in one block of five is in no typical block's p99, but in the user's."""

from collections.abc import Sequence
from itertools import accumulate
from math import log
from random import Random

from ipctune.judge.flips import Interval

__all__ = ["pooled_tail"]

_RESAMPLES = 400

Buckets = Sequence[tuple[int, int]]
"""Pairs of a bucket's lowest value, above 0, and its count."""


def pooled_tail(a: Sequence[Buckets], b: Sequence[Buckets], q: float = 0.99, alpha: float = 0.05) -> Interval:
    """The shift in log(B / A) of the quantile `q` of all blocks' samples, by resampling pairs of blocks.

    `a` and `b` hold a histogram a block, in pairs. The percentile bootstrap (Efron 1979) over blocks, not samples, as
    those of one block are not independent: a single bad block is missing in a third of the resamples and decides
    nothing. Seeded: the same blocks give the same interval. No bounds with fewer than six pairs.
    """
    pairs = min(len(a), len(b))
    if pairs < 6:
        return Interval(None, None)
    ours, theirs = _Pool(a[:pairs]), _Pool(b[:pairs])
    rng = Random(pairs)
    shifts = []
    for _ in range(_RESAMPLES):
        drawn = rng.choices(range(pairs), k=pairs)
        shifts.append(log(theirs.quantile(drawn, q) / ours.quantile(drawn, q)))
    shifts.sort()
    cut = int(_RESAMPLES * alpha / 2)
    return Interval(shifts[cut], shifts[-1 - cut])


class _Pool:
    """Blocks over common buckets, so that a quantile of any of them together is a search, not a merge."""

    def __init__(self, blocks: Sequence[Buckets]) -> None:
        self._edges = sorted({lowest for block in blocks for lowest, _ in block}) or [1]
        self._upto = [self._cumulated(block) for block in blocks]

    def _cumulated(self, block: Buckets) -> list[int]:
        counts = dict(block)
        return list(accumulate(counts.get(edge, 0) for edge in self._edges))

    def quantile(self, drawn: Sequence[int], q: float) -> float:
        """The lowest value of the bucket at or below which the share `q` of the drawn blocks' samples lies."""
        wanted = q * sum(self._upto[i][-1] for i in drawn)
        low, high = 0, len(self._edges) - 1
        while low < high:
            middle = (low + high) // 2
            if sum(self._upto[i][middle] for i in drawn) >= wanted:
                high = middle
            else:
                low = middle + 1
        return float(max(1, self._edges[low]))
