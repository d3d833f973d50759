"""The pooled p99: stalls that are in some blocks count, one bad block does not, and equal arms are not told apart."""

from math import exp
from random import Random

import pytest

from ipctune.judge.rules import p99_worse
from ipctune.judge.tails import Buckets, pooled_tail


def block(rng: Random, stalls: int = 0, samples: int = 1500) -> Buckets:
    """Latencies around 50 µs with a tail, and some of 3 ms."""
    counts: dict[int, int] = {}
    for value in (*(int(rng.lognormvariate(10.8, 0.15)) // 500 * 500 for _ in range(samples)), *[3_000_000] * stalls):
        counts[value] = counts.get(value, 0) + 1
    return sorted(counts.items())


def test_stalls_in_half_of_the_blocks_are_seen() -> None:
    rng = Random(1)
    a = [block(rng) for _ in range(13)]
    b = [block(rng, 80 if i % 2 == 0 else 0) for i in range(13)]
    assert p99_worse(pooled_tail(a, b)) is True
    found = pooled_tail(b, a)
    assert found.high is not None
    assert exp(found.high) < 0.5


@pytest.mark.parametrize("bad", [0, 6])
def test_one_bad_block_decides_nothing(bad: int) -> None:
    rng = Random(2)
    a = [block(rng) for _ in range(13)]
    b = [block(rng, 300 if i == bad else 0) for i in range(13)]
    assert p99_worse(pooled_tail(a, b)) is False


def test_equal_arms_with_stalls_of_the_host_are_seldom_told_apart() -> None:
    """Both arms are stalled by others at random: an eighth of all blocks."""
    wrong = 0
    for seed in range(100):
        rng = Random(seed)
        a, b = ([block(rng, 60 * (rng.random() < 0.125), 400) for _ in range(13)] for _ in range(2))
        wrong += p99_worse(pooled_tail(a, b)) is True
    assert wrong <= 6


def test_five_pairs_say_nothing() -> None:
    rng = Random(3)
    blocks = [block(rng, 10 * i) for i in range(5)]
    assert p99_worse(pooled_tail(blocks, blocks)) is None


def test_a_p99_twice_as_long_is_seen_and_a_tenth_more_is_not() -> None:
    rng = Random(4)
    a = [block(rng) for _ in range(13)]
    assert p99_worse(pooled_tail(a, [[(2 * value, n) for value, n in one] for one in a])) is True
    assert p99_worse(pooled_tail(a, [[(value + value // 10, n) for value, n in one] for one in a])) is False
