"""Every mechanism, pattern and load gives a whole result."""

import os

import pytest
from tests.native.core import (
    BYTE_STREAMS,
    DATAGRAMS,
    LARGEST_DATAGRAM,
    MECHANISMS,
    PATTERNS,
    QUEUES,
    Core,
    pattern_words,
    room_words,
)
from tests.native.result import check_result


@pytest.mark.parametrize("size", [1, 64, 4096, 100_000])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_and_pattern_at_each_size(core: Core, mechanism: str, pattern: str, size: int) -> None:
    if mechanism == "udp":
        size = min(size, LARGEST_DATAGRAM)
    words = (*pattern_words(mechanism, pattern), "--size", str(size), *room_words(mechanism, size))
    answer = core.run(mechanism, *words)
    if mechanism == "udp" and answer.status == 3:
        assert answer.error["name"] == "ENOBUFS"  # the machine stalled, and a datagram was lost
        return
    assert answer.status == 0, answer.data
    check_result(answer.data)
    assert (answer.data["latency"] is None) == (pattern == "stream" and mechanism != "udp")
    assert (answer.data["mechanism"], answer.data["pattern"], answer.data["size"]) == (mechanism, pattern, size)


@pytest.mark.parametrize("load", ["--rate=2000", "--rate=30", "--rate=10000000", "--gap=100000"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", ["pipe", "memfd-futex"])
def test_loads(core: Core, mechanism: str, pattern: str, load: str) -> None:
    if pattern == "stream" and load.startswith("--gap"):
        assert core.run(mechanism, "--pattern", pattern, *load.split("=")).status == 2
        return
    answer = core.run(mechanism, "--pattern", pattern, *load.split("="))
    assert answer.status == 0, answer.data
    check_result(answer.data)
    assert answer.data["latency"]["kind"] == ("one-way" if pattern == "stream" else "round-trip")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", [*BYTE_STREAMS, "memfd-eventfd"])
def test_the_largest_message_does_not_block_both_sides(core: Core, mechanism: str, pattern: str) -> None:
    answer = core.run(mechanism, "--pattern", pattern, "--size", str(16 << 20))
    assert answer.status == 0, answer.data
    check_result(answer.data)


def test_roles_and_system_calls_of_a_pipe(core: Core) -> None:
    data = core.run("pipe").data
    assert [side["role"] for side in data["sides"]] == ["client", "server"]
    assert data["sides"][0]["syscalls"] == 2 * data["messages"]
    assert data["sides"][1]["syscalls"] == pytest.approx(2 * data["messages"], abs=2)


def test_the_same_seed_gives_the_same_arrivals(core: Core) -> None:
    words = ("--rate", "2000", "--pattern", "stream", "--seed", "7")
    first, second = (core.run("pipe", *words, seconds=0.05).data["messages"] for _ in range(2))
    assert abs(first - second) <= max(1, first // 2)  # a machine that stalls sends fewer, never more


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_sides_on_one_vcpu(core: Core, pattern: str) -> None:
    cpu = min(os.sched_getaffinity(0))
    words = ("run", "--mechanism", "memfd-futex", "--seconds", "0.01", "--pattern", pattern)
    alone = ("taskset", "-c", str(cpu))
    check_result(core.call(*words, "--cpus", f"{cpu},{cpu}", prefix=alone).data)
    check_result(core.call(*words, prefix=alone).data)


@pytest.mark.parametrize("mechanism", [*BYTE_STREAMS, *DATAGRAMS, *QUEUES])
def test_capacity_takes_effect(core: Core, mechanism: str) -> None:
    small = core.run(mechanism, "--capacity", "4096", "--size", "512").data["capacity"]
    usual = core.run(mechanism, "--capacity", "0", "--size", "512").data["capacity"]
    assert small >= 4096
    assert small != usual


@pytest.mark.parametrize("policy", ["other", "batch", "fifo"])
def test_policies(core: Core, policy: str) -> None:
    assert core.run("pipe", "--policy", policy).status == 0


@pytest.mark.parametrize("cpus", ["-1,-1", "0,1"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", ["memfd-futex", "memfd-eventfd"])
def test_no_wake_up_is_lost(core: Core, mechanism: str, pattern: str, cpus: str) -> None:
    # A lost one shows in one block of thirty or so: the two sides have to meet within a few instructions.
    if not set(map(int, cpus.split(","))) - {-1} <= os.sched_getaffinity(0):
        cpus = "-1,-1"
    for seed in range(30):
        words = ("--pattern", pattern, "--size", "8", "--cpus", cpus, "--seed", str(seed))
        assert core.run(mechanism, *words).status == 0
