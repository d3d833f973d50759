"""An open-loop client: requests at Poisson arrivals over blocking connections, latency from the intended start.

It sleeps until a request is due, as a real client does, with a timer slack of 1 ns (PR_SET_TIMERSLACK, prctl(2)): one
that spins keeps its vCPU awake and hides half of the wake-ups. A request that had to wait because the one before it
had no answer yet counts from when it should have been sent, so a slow answer is not hidden (coordinated omission).
"""

import ctypes
import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["PROTOCOLS", "Address", "Aim", "Driver", "bucket"]

Address = str | tuple[str, int]
"""The path of a Unix socket, or host and port."""

_TIMERSLACK = 29  # linux/prctl.h
_WARM_UP = 20
_PATIENCE = 10  # seconds for one answer
_LONGEST = 1 << 16


class WrongAnswer(ValueError):
    """The server answered something else than what was asked for."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One request, and whether what came so far is its whole answer. `whole` raises WrongAnswer."""

    request: bytes
    whole: Callable[[bytes], bool]


def _exactly(answer: bytes) -> Callable[[bytes], bool]:
    def whole(got: bytes) -> bool:
        if not answer.startswith(got):
            raise WrongAnswer(f"the server answered {got[:60]!r}")
        return len(got) == len(answer)

    return whole


def _http(got: bytes) -> bool:
    """One answer with Content-Length and status 200 (RFC 9112)."""
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return _unfinished(got)
    lines = head.lower().split(b"\r\n")
    length = next((line[15:].strip() for line in lines if line.startswith(b"content-length:")), b"")
    if not (lines[0].startswith(b"http/1.1 200") and length.isdigit() and len(body) <= int(length)):
        raise WrongAnswer(f"the server answered {got[:60]!r}")
    return len(body) == int(length)


def _unfinished(got: bytes) -> bool:
    if len(got) > _LONGEST:
        raise WrongAnswer(f"no end of the answer in {_LONGEST} bytes: {got[:60]!r}")
    return False


PROTOCOLS = {
    "redis-ping": Protocol(b"*1\r\n$4\r\nPING\r\n", _exactly(b"+PONG\r\n")),
    "redis-get": Protocol(b"*2\r\n$3\r\nGET\r\n$7\r\nipctune\r\n", _exactly(b"$64\r\n" + b"x" * 64 + b"\r\n")),
    "http": Protocol(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", _http),
}


@dataclass(frozen=True, slots=True)
class Aim:
    """What to drive and how: `rate` requests a second in all, shared by `connections`, for `seconds`."""

    protocol: str
    address: Address
    rate: float
    seconds: float
    seed: int
    connections: int = 1


def bucket(ns: int) -> int:
    """The lowest value of the bucket that holds `ns`: exact below 256, then at most 0.8 % wide."""
    shift = max(0, ns.bit_length() - 8)
    return ns >> shift << shift


@dataclass
class Driver:
    """The connections of one block, each a thread that sleeps until its next request is due."""

    aim: Aim
    error: str = ""
    ended: int = field(default_factory=lambda: os.eventfd(0, os.EFD_CLOEXEC))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: int = 0
    _counts: list[Counter[int]] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Connect, warm up, then begin. Raises OSError or WrongAnswer where the server does not answer."""
        sockets = [_connected(self.aim.address) for _ in range(self.aim.connections)]
        protocol = PROTOCOLS[self.aim.protocol]
        for connection in sockets:
            for _ in range(_WARM_UP):
                _exchange(connection, protocol)
        begin = time.monotonic_ns() + 1_000_000
        for at, connection in enumerate(sockets):
            counts: Counter[int] = Counter()
            arguments = (connection, protocol, begin, self._arrivals(at), counts)
            self._counts.append(counts)
            self._threads.append(threading.Thread(target=self._guarded, args=arguments, daemon=True))
        self._running = len(self._threads)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Give back the descriptor `ended`, which becomes readable when all have had their answers."""
        os.close(self.ended)

    def buckets(self) -> list[tuple[int, int]]:
        """Pairs of a bucket's lowest ns and its count, ascending."""
        total: Counter[int] = Counter()
        for counts in self._counts:
            total.update(counts)
        return sorted(total.items())

    def _arrivals(self, number: int) -> list[int]:
        """Intended starts in ns from the beginning: independent Poisson streams add up to one of `rate`."""
        rng = random.Random(f"{self.aim.seed}/{number}")
        rate = self.aim.rate / self.aim.connections
        at, found = rng.expovariate(rate), []
        while at < self.aim.seconds:
            found.append(round(at * 1e9))
            at += rng.expovariate(rate)
        return found

    def _guarded(
        self, connection: socket.socket, protocol: Protocol, begin: int, due: Sequence[int], counts: Counter[int]
    ) -> None:
        try:
            with connection:
                _drive(connection, protocol, [begin + at for at in due], counts)
        except (OSError, WrongAnswer) as error:
            self.error = self.error or str(error)
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                os.eventfd_write(self.ended, 1)


def _drive(connection: socket.socket, protocol: Protocol, due: Sequence[int], counts: Counter[int]) -> None:
    """The measured loop."""
    ctypes.CDLL(None).prctl(_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)
    clock, sleep = time.monotonic_ns, time.sleep
    for start in due:
        left = start - clock()
        if left > 0:
            sleep(left * 1e-9)
        _exchange(connection, protocol)
        counts[bucket(clock() - start)] += 1


def _exchange(connection: socket.socket, protocol: Protocol) -> None:
    connection.sendall(protocol.request)
    got = connection.recv(_LONGEST)
    while not protocol.whole(got):
        more = connection.recv(_LONGEST)
        if not more:
            raise WrongAnswer("the server closed the connection")
        got += more


def _connected(address: Address) -> socket.socket:
    """Blocking, with the kernel's own time limit: Python's would cost a poll(2) before each call (socket(7))."""
    unix = isinstance(address, str)
    connection = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _PATIENCE, 0))
    if not unix:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.connect(address)
    return connection
