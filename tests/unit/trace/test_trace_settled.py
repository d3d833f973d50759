"""What was taken out of a full table is neither lost nor counted twice."""

from ipctune.trace.session import Sum, settled
from ipctune.trace.slots import SLOTS

Key = tuple[int, str]


def of(count: int) -> Sum:
    return Sum("a", count, count * 10, 0, 5, (count, *(0,) * (SLOTS - 1)))


def fold(key: Key) -> Key:
    return 0, key[1]


def growth(before: dict[Key, Sum], after: dict[Key, Sum]) -> dict[Key, int]:
    had = settled(before, after, fold)
    assert not had.keys() - after.keys()
    return {key: now.count - (had[key].count if key in had else 0) for key, now in after.items()}


def test_nothing_was_taken_out() -> None:
    assert growth({(1, "read"): of(5)}, {(1, "read"): of(8), (2, "read"): of(3)}) == {(1, "read"): 3, (2, "read"): 3}


def test_what_was_taken_out_is_where_it_was_folded_to() -> None:
    before = {(1, "read"): of(100), (2, "read"): of(50)}
    assert growth(before, {(0, "read"): of(160)}) == {(0, "read"): 10}


def test_one_that_goes_on_begins_anew() -> None:
    before = {(1, "read"): of(100), (2, "read"): of(50)}
    after = {(0, "read"): of(155), (1, "read"): of(10)}
    assert growth(before, after) == {(0, "read"): 5, (1, "read"): 10}


def test_where_it_can_not_be_told_the_sum_is_right() -> None:
    before = {(1, "read"): of(5)}
    after = {(0, "read"): of(6), (1, "read"): of(20)}
    assert sum(growth(before, after).values()) == 21
