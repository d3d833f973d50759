"""The core's answer becomes a block, or a clear error; costs a message; what spoils a block."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.bench.fake import answer, block

from ipctune.bench.block import parse
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError, NotPossible

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)


def test_costs_a_message() -> None:
    one = block()
    assert one.cpu_ns_per_message == 6000
    assert one.price_ns_per_message == 7000
    assert one.price_vcpus == pytest.approx(0.07)
    assert one.rate == pytest.approx(10_000)
    assert (one.syscalls_per_message, one.switches_per_message) == (4, 2.004)
    assert one.faults_per_message == 0
    assert one.blocked == 2000
    assert one.p50_ns == 5000
    assert one.p99_ns is None


def test_without_cpuidle_the_price_is_cpu_alone() -> None:
    one = block(machine=answer()["machine"] | {"poll_ns": None})
    assert one.poll_ns is None
    assert one.price_ns_per_message == one.cpu_ns_per_message


def test_a_stream_as_fast_as_it_goes_has_no_latency() -> None:
    one = block(Spec(pattern="stream"))
    assert one.histogram is None
    assert one.p50_ns is None


@pytest.mark.parametrize(
    ("seconds", "steal_ms", "foreign_ms", "spoiled"),
    [
        (0.3, 10, 0, False),
        (0.3, 20, 0, True),
        (0.3, 0, 60, False),
        (0.3, 0, 80, True),
        (10.0, 150, 900, False),
        (10.0, 250, 0, True),
        (10.0, 0, 1100, True),
        (0.3, None, -20, False),
    ],
)
def test_others_spoil_a_block_beyond_ticks(
    seconds: float, steal_ms: int | None, foreign_ms: int, spoiled: bool
) -> None:
    steal = None if steal_ms is None else steal_ms * 1_000_000
    machine = answer()["machine"] | {"seconds": seconds, "steal_ns": steal}
    one = block(machine=machine | {"foreign_ns": foreign_ms * 1_000_000})
    assert bool(one.spoiled) is spoiled


def test_its_own_result_never_spoils_a_block() -> None:
    slow = answer()["latency"] | {"max": 10**9, "mean": 10**8}
    assert block(latency=slow).spoiled is None


@pytest.mark.parametrize(
    "change",
    [
        {"messages": "many"},
        {"messages": True},
        {"messages": -1},
        {"seconds": 0},
        {"mechanism": "unix-stream"},
        {"size": 65},
        {"cpus": [0]},
        {"sides": []},
        {"sides": [{}, {}]},
        {"machine": None},
        {"latency": {}},
        {"latency": answer()["latency"] | {"count": 5}},
        {"latency": answer()["latency"] | {"p99": 1}},
        {"latency": answer()["latency"] | {"buckets": [[7, 500], [5, 500]]}},
        {"latency": answer()["latency"] | {"mean": 10**400}},
    ],
)
def test_a_corrupt_answer_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(IpctuneError, match="corrupt") as caught:
        block(**change)
    assert not isinstance(caught.value, NotPossible)


def test_no_message_is_not_possible() -> None:
    with pytest.raises(NotPossible, match="no message"):
        block(messages=0, latency=None)


@given(st.binary(max_size=80) | st.text(max_size=80))
def test_no_bytes_do_more_than_raise_our_error(text: str | bytes) -> None:
    with pytest.raises(IpctuneError):
        parse(text, Spec())


@given(st.sampled_from(sorted(answer())), json_values)
def test_a_wrong_field_is_our_error_or_harmless(name: str, value: Any) -> None:
    with contextlib.suppress(IpctuneError):
        parse(json.dumps(answer(**{name: value})), Spec())


@given(st.integers(0, 2000))
def test_a_truncated_answer_is_our_error(length: int) -> None:
    whole = json.dumps(answer())
    with pytest.raises(IpctuneError):
        parse(whole[: min(length, len(whole) - 1)], Spec())


def test_what_a_mechanism_says_of_copies() -> None:
    told = block(zerocopy={"completions": 10, "copied": 7}).zerocopy
    assert told is not None
    assert (told.completions, told.copied) == (10, 7)
    assert block(zerocopy=None).zerocopy is None


@pytest.mark.parametrize("told", [{"completions": 1, "copied": 2}, {"completions": 1, "copied": -1}, {"copied": 0}])
def test_copies_that_make_no_sense_are_corrupt(told: dict[str, int]) -> None:
    with pytest.raises(IpctuneError, match="zerocopy"):
        block(zerocopy=told)


BURST = {
    **{"bursts": 2, "offered": 20, "accepted": 12, "partial": 1, "received": 11, "lost": 1, "refused": 8},
    **{"errno": "EAGAIN", "fits": 6},
}


def test_what_became_of_a_burst() -> None:
    one = block(Spec(pattern="burst", burst=10), burst=BURST, latency=None)
    assert one.burst is not None
    assert (one.burst.lost, one.burst.errno, one.burst.fits) == (1, "EAGAIN", 6)
    assert block().burst is None


def test_how_a_fan_shared() -> None:
    one = block(Spec(pattern="fan-in", peers=4), peers=4, sharing="one channel", share=[200, 300], latency=None)
    assert (one.peers, one.sharing, one.share) == (4, "one channel", (200, 300))
    assert block().share is None


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        (Spec(pattern="burst", burst=10), {}),
        (Spec(pattern="burst", burst=11), {"burst": BURST}),
        (Spec(pattern="burst", burst=10), {"burst": BURST | {"refused": 9}}),
        (Spec(pattern="fan-in", peers=4), {"peers": 5}),
        (Spec(), {"peers": 2}),
        (Spec(), {"burst": BURST}),
    ],
)
def test_counts_of_something_else_are_corrupt(spec: Spec, change: dict[str, Any]) -> None:
    with pytest.raises(IpctuneError):
        parse(json.dumps(answer(spec, **change)), spec)
