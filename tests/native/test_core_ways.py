"""Ways to wait, to cut and to batch: each mechanism takes those that it names, at every size, and counts its calls."""

import pytest
from tests.native.core import (
    BYTE_STREAMS,
    DATAGRAMS,
    LARGEST_DATAGRAM,
    PATTERNS,
    WAITS,
    Answer,
    Core,
    pattern_words,
    room_words,
)
from tests.native.result import check_result

SIZES = (1, 63, 4096, 65536)
WAYS = [(mechanism, wait) for mechanism, waits in WAITS.items() for wait in waits]


def sizes(mechanism: str) -> tuple[int, ...]:
    return (*SIZES[:-1], LARGEST_DATAGRAM) if mechanism == "udp" else SIZES


def measured(core: Core, mechanism: str, pattern: str, size: int, *words: str) -> Answer:
    """A whole result, or the test has failed."""
    usual = (*pattern_words(mechanism, pattern), "--size", str(size), *room_words(mechanism, size))
    for _ in range(3):
        answer = core.run(mechanism, *usual, *words)
        if mechanism != "udp" or answer.status != 3:
            break  # a machine that stalls for some milliseconds loses datagrams, and the core says so
    assert answer.status == 0, answer.data
    check_result(answer.data)
    return answer


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("mechanism", "wait"), WAYS)
def test_waiting(core: Core, mechanism: str, wait: str, pattern: str) -> None:
    for size in sizes(mechanism):
        data = measured(core, mechanism, pattern, size, "--wait", wait).data
        assert data["wait"] == wait


@pytest.mark.parametrize("wait", ["block", "retry", "epoll"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", BYTE_STREAMS)
def test_writes_of_a_size_of_their_own(core: Core, mechanism: str, pattern: str, wait: str) -> None:
    for size in SIZES:
        for most in (7, 4096):
            words = ("--write-size", str(max(most, size // 64)), "--wait", wait)
            data = measured(core, mechanism, pattern, size, *words).data
            calls = -(-size // data["write_size"])
            assert data["sides"][0]["syscalls"] >= data["messages"] * calls


@pytest.mark.parametrize("wait", ["block", "retry", "poll", "epoll"])
@pytest.mark.parametrize("mechanism", [*BYTE_STREAMS, *DATAGRAMS])
def test_batches(core: Core, mechanism: str, wait: str) -> None:
    for size in sizes(mechanism)[: 3 if mechanism == "udp" else 4]:  # two of the largest datagrams are too many at once
        for batch in (2, 17):
            words = ("--batch", str(batch), "--wait", wait)
            data = measured(core, mechanism, "stream", size, *words).data
            assert data["batch"] == batch


@pytest.mark.parametrize("mechanism", [*BYTE_STREAMS, "unix-dgram", "unix-seqpacket"])
def test_a_batch_takes_fewer_calls(core: Core, mechanism: str) -> None:
    data = measured(core, mechanism, "stream", 64, "--batch", "16").data
    assert data["sides"][0]["syscalls"] <= data["messages"] / 16 + 1 + data["messages"] / 64


@pytest.mark.parametrize("mechanism", ["pipe", "unix-dgram", "udp"])
def test_a_batch_at_a_rate_counts_from_when_each_message_was_due(core: Core, mechanism: str) -> None:
    words = ("--pattern", "stream", "--batch", "8", "--rate", "400")
    data = core.run(mechanism, *words, seconds=0.2).data
    check_result(data)
    # the first of eight waits for seven more, a fortieth of a second apart all in all
    assert data["latency"]["max"] > 3_000_000


@pytest.mark.parametrize("wait", ["block", "retry"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_msg_noerror(core: Core, pattern: str, wait: str) -> None:
    for size in SIZES:
        assert measured(core, "sysv-msg", pattern, size, "--noerror", "--wait", wait).data["noerror"] is True


def test_an_option_without_a_value_may_stand_anywhere(core: Core) -> None:
    words = ("--mechanism", "sysv-msg", "--seconds", "0.01")
    assert core.call("run", "--noerror", *words).data["noerror"] is True
    assert core.call("run", *words, "--noerror", "--size", "9").data["size"] == 9


@pytest.mark.parametrize("mechanism", ["pipe", "unix-dgram", "posix-mq"])
def test_every_call_is_counted(core: Core, mechanism: str) -> None:
    polled = measured(core, mechanism, "ping-pong", 64, "--wait", "poll").data
    assert polled["sides"][0]["syscalls"] >= 3 * polled["messages"]  # a send, a poll, a receive
    retried = measured(core, mechanism, "ping-pong", 64, "--wait", "retry").data["sides"]
    assert all(side["syscalls"] >= side["blocked"] for side in retried)
    assert measured(core, mechanism, "ping-pong", 64).data["sides"][0]["blocked"] is None


@pytest.mark.parametrize("mechanism", WAITS)
def test_retrying_on_one_vcpu_ends(core: Core, mechanism: str) -> None:
    words = (*pattern_words(mechanism, "ping-pong"), "--wait", "retry", "--cpus", "0,0")
    assert core.run(mechanism, *words).status == 0


@pytest.mark.parametrize("capacity", ["4096", "65536"])
@pytest.mark.parametrize(("mechanism", "wait"), [way for way in WAYS if way[0] not in ("udp", "sysv-msg", "posix-mq")])
def test_a_stream_that_finds_no_room(core: Core, mechanism: str, wait: str, capacity: str) -> None:
    measured(core, mechanism, "stream", 1000, "--capacity", capacity, "--wait", wait)
