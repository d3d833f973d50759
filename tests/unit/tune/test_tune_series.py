"""Pairs of blocks and what they add up to; prices hold what polls and what our own pollers use."""

from math import log

import pytest
from tests.unit.bench.fake import answer, block

from ipctune.bench.spec import Spec
from ipctune.tune.point import sample_of
from ipctune.tune.series import Arm, Series

_LATENCY = answer()["latency"]


def arm(*p50s: int, own: float = 0.0, count: int = 1000) -> Arm:
    made = Arm()
    for p50 in p50s:
        tail = dict.fromkeys(("min", "p50", "p90", "p99", "p999", "max"), p50)
        latency = _LATENCY | tail | {"count": count, "buckets": [[p50, count]]}
        made.add(sample_of(block(latency=latency, messages=count)), own)
    return made


def test_pairs_are_logarithms_of_b_over_a() -> None:
    series = Series(arm(10_000, 20_000), arm(5_000, 20_000))
    assert series.p50() == pytest.approx([log(0.5), 0.0])
    assert series.product() == pytest.approx([p + c for p, c in zip(series.p50(), series.price(), strict=True)])


def test_an_arm_that_is_ahead_does_not_count_yet() -> None:
    series = Series(arm(10_000, 10_000), arm(5_000))
    assert series.pairs() == 1
    assert len(series.throughput()) == 1


def test_a_stream_as_fast_as_it_goes_is_judged_by_the_time_of_a_message() -> None:
    made = Arm()
    made.add(sample_of(block(Spec(pattern="stream"))), 0.0)
    assert made.p50(0) == pytest.approx(0.1e9 / 1000)
    assert made.p99(0) is None
    assert made.figures().p50_ns is None


def test_the_price_is_cpu_of_both_sides_polling_and_our_own_pollers() -> None:
    made = arm(5_000, own=4_000_000.0)
    assert made.price(0) == pytest.approx((2 * 3_000_000 + 1_000_000 + 4_000_000) / 1000)
    figures = made.figures()
    assert figures.cpu_ns_per_message == pytest.approx(6000)
    assert figures.price_ns_per_message == pytest.approx(11_000)
    assert figures.price_vcpus == pytest.approx(0.11)
    assert figures.polled_vcpus == pytest.approx(0.05)


def test_prices_are_summed_over_blocks_as_polling_shows_only_in_sums() -> None:
    made = arm(5_000, own=0.0)
    made.add(made.blocks[0], 6_000_000.0)
    assert made.figures().price_vcpus == pytest.approx((7_000_000 + 13_000_000) / 0.2e9)


@pytest.mark.parametrize(("blocks", "known"), [(9, False), (10, True)])
def test_p99_is_unknown_below_ten_thousand_samples(blocks: int, known: bool) -> None:
    made = arm(*[5_000] * blocks)
    assert (made.figures().p99_ns is not None) == known
    assert Series(made, made).known_p99() == known
    assert not Series(made, arm(5_000)).known_p99()


def test_without_a_cpuidle_driver_nothing_polls() -> None:
    made = Arm()
    machine = answer()["machine"] | {"poll_ns": None}
    made.add(sample_of(block(machine=machine)), 0.0)
    assert made.figures().polled_vcpus == 0
    assert made.price(0) == pytest.approx(6000)


def test_spoiled_blocks_of_both_arms_are_counted() -> None:
    spoiled = Arm()
    spoiled.add(sample_of(block(machine=answer()["machine"] | {"steal_ns": 90_000_000})), 0.0)
    assert Series(arm(5_000), spoiled).spoiled() == 1
    assert Series(arm(5_000), arm(5_000)).spoiled() == 0
