"""Latencies as the programs count them: eight slots for each power of two of nanoseconds."""

from collections.abc import Sequence

__all__ = ["PARTS", "SLOTS", "bounds", "quantile"]

PARTS = 8
SLOTS = 40 * PARTS
"""The last one begins at half an hour."""


def bounds(slot: int) -> tuple[int, int]:
    """The first ns in a slot and the first beyond it."""
    if slot < PARTS:
        return slot, slot + 1
    shift = slot // PARTS - 1
    low = (PARTS + slot % PARTS) << shift
    return low, low + (1 << shift)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The latency below which that share lies, in ns, to within 6 %; None where nothing was counted."""
    wanted, seen = share * sum(counts), 0
    for slot, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            low, high = bounds(slot)
            return (low + high - 1) / 2
    return None
