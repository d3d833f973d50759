"""The open-loop client: arrivals, buckets, answers that are wrong, and what a slow answer does to later ones."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.workload.client import PROTOCOLS, Aim, Driver, WrongAnswer, bucket


@given(st.integers(0, 1 << 62))
def test_a_bucket_spans_one_per_cent_at_most(ns: int) -> None:
    lowest = bucket(ns)
    assert lowest <= ns
    assert ns - lowest <= 0.01 * lowest
    assert bucket(lowest) == lowest


@given(st.integers(0, 1 << 62), st.integers(0, 1 << 62))
def test_buckets_keep_the_order(one: int, other: int) -> None:
    assert (bucket(min(one, other))) <= bucket(max(one, other))


def test_arrivals_come_at_the_rate_and_again_for_the_same_seed() -> None:
    aim = Aim("redis-ping", "", 1000.0, 20.0, 3, connections=2)
    first, again = Driver(aim), Driver(aim)
    arrivals = [first._arrivals(0), first._arrivals(1)]
    assert arrivals == [again._arrivals(0), again._arrivals(1)]
    assert arrivals[0] != arrivals[1]
    assert 19_000 < sum(map(len, arrivals)) < 21_000  # seven standard deviations
    assert all(one == sorted(one) and one[-1] < 20e9 for one in arrivals)
    first.close()
    again.close()


@given(st.binary(max_size=100), st.sampled_from(sorted(PROTOCOLS)))
def test_any_answer_is_whole_unfinished_or_wrong(answer: bytes, name: str) -> None:
    with suppress(WrongAnswer):
        assert PROTOCOLS[name].whole(answer) in (True, False)


def test_an_http_answer_is_whole_when_its_body_is() -> None:
    whole = PROTOCOLS["http"].whole
    answer = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\nabc"
    assert [at for at in range(len(answer) + 1) if whole(answer[:at])] == [len(answer)]
    for wrong in (answer.replace(b"200", b"502"), answer + b"d", answer.replace(b"Content-Length: 3\r\n", b"")):
        with pytest.raises(WrongAnswer):
            whole(wrong)


@contextmanager
def _server(path: Path, answer: Callable[[int], bytes]) -> Iterator[str]:
    """One connection at a time; `answer` is told how many requests came before."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                count = 0
                while connection.recv(4096):
                    connection.sendall(answer(count))
                    count += 1

        threading.Thread(target=serve, daemon=True).start()
        yield str(path)


def _driven(address: str, rate: float, seconds: float) -> Driver:
    driver = Driver(Aim("redis-ping", address, rate, seconds, 1))
    driver.start()
    assert select.select([driver.ended], [], [], 30)[0]
    driver.close()
    return driver


def test_a_slow_answer_counts_for_those_that_had_to_wait(tmp_path: Path) -> None:
    """One answer takes 0.2 s; whatever should have been sent meanwhile waited too."""

    def answer(count: int) -> bytes:
        if count == 30:
            time.sleep(0.2)
        return b"+PONG\r\n"

    with _server(tmp_path / "s", answer) as address:
        driver = _driven(address, 500.0, 0.5)
    assert driver.error == ""
    waited = sum(count for low, count in driver.buckets() if low > 20e6)
    assert waited > 30  # of about 100 that were due in those 0.2 s; a closed loop would show one


def test_a_wrong_answer_ends_the_block(tmp_path: Path) -> None:
    with _server(tmp_path / "s", lambda count: b"+PONG\r\n" if count < 25 else b"-ERR\r\n") as address:
        assert "-ERR" in _driven(address, 500.0, 0.2).error


def test_a_server_that_answers_wrongly_at_once_is_told(tmp_path: Path) -> None:
    with _server(tmp_path / "s", lambda _count: b"-NOAUTH\r\n") as address:
        driver = Driver(Aim("redis-ping", address, 10.0, 0.1, 1))
        with pytest.raises(WrongAnswer, match="NOAUTH"):
            driver.start()
        driver.close()
