"""Slots of latencies: what the program counts and what is read from it are the same bounds."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ipctune.trace.slots import PARTS, SLOTS, bounds, quantile


def slot_of(ns: int) -> int:
    """As native/bpf/latency.bpf.c has it."""
    if ns < PARTS:
        return ns
    power = ns.bit_length() - 1
    return min((power - 2) * PARTS + (ns >> (power - 3)) % PARTS, SLOTS - 1)


@given(st.integers(0, 2**41))
def test_every_latency_lies_in_its_slot(ns: int) -> None:
    low, high = bounds(slot_of(ns))
    assert low <= ns < high
    assert high - low <= max(1, low // PARTS)


def test_slots_follow_each_other_without_a_gap() -> None:
    ends = [bounds(slot) for slot in range(SLOTS)]
    assert ends[0][0] == 0
    assert all(a[1] == b[0] for a, b in pairwise(ends))


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=50), st.sampled_from([0.5, 0.99]))
def test_a_quantile_lies_in_the_slot_of_the_true_one(latencies: list[int], share: float) -> None:
    counts = [0] * SLOTS
    for ns in latencies:
        counts[slot_of(ns)] += 1
    wanted = sorted(latencies)[max(0, -int(-share * len(latencies) // 1) - 1)]
    found = quantile(counts, share)
    assert found is not None
    low, high = bounds(slot_of(wanted))
    assert low <= found < high


def test_nothing_has_no_quantile() -> None:
    assert quantile([0] * SLOTS, 0.5) is None
