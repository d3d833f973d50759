"""Sockets that keep boundaries: what fits, what is refused and by which limit, what is lost."""

from pathlib import Path

import pytest
from tests.native.core import LARGEST_DATAGRAM, Core
from tests.native.result import check_result

PACKETS = ("unix-dgram", "unix-seqpacket")


def largest(core: Core, mechanism: str) -> int:
    listed = core.call("mechanisms").data["mechanisms"]
    found: int = next(one["max_size"] for one in listed if one["name"] == mechanism)
    return found


@pytest.mark.parametrize("pattern", ["ping-pong", "stream"])
@pytest.mark.parametrize("mechanism", PACKETS)
def test_boundaries_are_kept(core: Core, mechanism: str, pattern: str) -> None:
    # one call a message, though many lie there: bytes of two would come together otherwise, and be refused
    data = core.run(mechanism, "--pattern", pattern, "--size", "63").data
    calls = 1 if pattern == "stream" else 2
    for side in data["sides"]:
        assert side["syscalls"] == pytest.approx(calls * data["messages"], abs=2)


@pytest.mark.parametrize("mechanism", PACKETS)
def test_the_largest_message_fits_and_one_byte_more_is_refused(core: Core, mechanism: str) -> None:
    most = largest(core, mechanism)
    answer = core.run(mechanism, "--size", str(most))
    assert answer.status == 0, answer.data
    check_result(answer.data)
    more = core.run(mechanism, "--size", str(most + 1))
    assert (more.status, more.error["name"], more.error["limit"]) == (3, "EMSGSIZE", "net.core.wmem_default")


@pytest.mark.parametrize("mechanism", PACKETS)
def test_a_larger_buffer_takes_a_larger_message(core: Core, mechanism: str) -> None:
    most = largest(core, mechanism)
    allowed = int(Path("/proc/sys/net/core/wmem_max").read_text(encoding="ascii"))
    words = ("--size", str(most + 1), "--capacity", str(allowed))
    answer = core.run(mechanism, *words)
    assert answer.status == 0, answer.data
    small = core.run(mechanism, "--size", "100000", "--capacity", "8192")
    assert (small.status, small.error["name"], small.error["limit"]) == (3, "EMSGSIZE", "net.core.wmem_max")


@pytest.mark.parametrize("mechanism", PACKETS)
def test_16_mib_is_refused_or_goes(core: Core, mechanism: str) -> None:
    words = ("--size", str(16 << 20), "--capacity", str(1 << 30))
    answer = core.run(mechanism, *words)
    assert answer.status in (0, 3)


def test_the_largest_udp_datagram(core: Core) -> None:
    assert largest(core, "udp") == LARGEST_DATAGRAM
    more = core.run("udp", "--size", str(LARGEST_DATAGRAM + 1))
    assert (more.status, more.error["name"], more.error["limit"]) == (3, "EMSGSIZE", None)


@pytest.mark.parametrize("wait", ["block", "retry", "poll", "epoll"])
def test_a_lost_datagram_is_told(core: Core, wait: str) -> None:
    # More than any buffer of that size takes while the consumer checks one. Where none is lost, all came.
    words = ("--pattern", "stream", "--rate", "100000000", "--size", "32768", "--capacity", "4096", "--wait", wait)
    answer = core.run("udp", *words, seconds=0.3)
    if answer.status == 0:
        check_result(answer.data)
        return
    assert (answer.status, answer.error["name"], answer.error["limit"]) == (3, "ENOBUFS", "net.core.rmem_max")
    assert "lost" in answer.error["message"]


def test_a_ping_pong_and_a_gentle_stream_lose_nothing(core: Core) -> None:
    for words in (("--rate", "500"), ("--gap", "100000"), ("--pattern", "stream", "--rate", "500")):
        answer = core.run("udp", *words, seconds=0.1)
        assert answer.status == 0, answer.data  # 64 bytes: hundreds fit, should the machine stall
        check_result(answer.data)
