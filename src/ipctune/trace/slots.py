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
    """The latency below which that share lies, in ns, to within 12 %; None where nothing was counted.

    What is in a slot is taken as spread evenly over it: steps of a slot's width would hide small differences.
    """
    wanted, seen = share * sum(counts), 0
    for slot, count in enumerate(counts):
        if count and seen + count >= wanted:
            low, high = bounds(slot)
            return low + (high - low - 1) * min(1.0, max(0.0, (wanted - seen) / count))
        seen += count
    return None
