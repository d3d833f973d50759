"""Latencies as counts in narrow buckets: they merge without loss; quantiles err by 1 % at most."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

__all__ = ["LEAST_FOR_P99", "Histogram", "tail"]

LEAST_FOR_P99 = 10_000
"""Samples below which a p99 is "unknown": fewer than a hundred lie beyond it."""

_FINE = 100
"""ns below which a bucket of 1 % is narrower than the clock's unit, so it holds one value only."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Pairs of a bucket's lowest value (ns) and its count, ascending, no count of zero.

    Every bucket spans at most 1 % of its value (the core's promise), so its middle, half a per
    cent above the lowest value, is off by 1 % at most whatever the bucket's true width.
    """

    buckets: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        """How many samples there are."""
        return sum(count for _, count in self.buckets)

    def quantile(self, q: float) -> float:
        """The value (ns) below or at which the share `q` (0 to 1) of the samples lies.

        Raises ValueError where there are no samples or `q` is outside 0 to 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile of {q}")
        if not self.buckets:
            raise ValueError("no samples")
        wanted = q * self.count
        seen = 0
        for lowest, count in self.buckets:
            seen += count
            if seen >= wanted and seen > 0:
                return middle(lowest)
        return middle(self.buckets[-1][0])

    def merged(self, *others: Self) -> "Histogram":
        """All samples of this and the others together."""
        return Histogram.of(pair for one in (self, *others) for pair in one.buckets)

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Self:
        """A histogram of pairs in any order, where a bucket may come more than once."""
        sums: Counter[int] = Counter()
        for lowest, count in pairs:
            sums[lowest] += count
        return cls(tuple(sorted((lowest, count) for lowest, count in sums.items() if count > 0)))


def middle(lowest: int) -> float:
    """The value (ns) that stands for a bucket, from its lowest one."""
    return float(lowest) if lowest < _FINE else lowest * 1.005


def tail(histogram: Histogram | None, q: float, least: int = LEAST_FOR_P99) -> float | None:
    """A high quantile (ns), or None ("unknown") with fewer than `least` samples."""
    if histogram is None or histogram.count < least:
        return None
    return histogram.quantile(q)
