"""TCP or a Unix socket? One server that has both, measured over each in turn, and what a burst of connects meets.

The two arms talk to the same processes at the same settings, so whatever differs is the way to them. For nginx it is
the way to its upstream (an HTTP server without keep-alive, or php-fpm), each request being a new connection.
"""

import errno
import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from select import EPOLLOUT, epoll
from typing import Protocol, Self

from ipctune.errors import WrongUse
from ipctune.judge.confirm import confirm
from ipctune.judge.flips import pairs_of
from ipctune.judge.order import pair_orders
from ipctune.judge.verdict import Estimate
from ipctune.workload.client import Address
from ipctune.workload.listening import Queue, queue
from ipctune.workload.model import Load, Sample

__all__ = ["BURST", "SERVICES", "Burst", "Compared", "Sockets", "TwoWays", "burst", "compare"]

SERVICES = ("redis", "postgres", "nginx", "php-fpm")
PAIRS = 10
"""Pairs of blocks a load, fixed before the first is measured: enough for an interval of 95 %."""
BURST = 1000
"""Connects at once."""
_DRAINING = 10.0
_BUSY, _LATE = 0.3, 0.7  # seconds: how long a server is kept busy; from when a connect counts as late


class TwoWays(Protocol):
    """A server that can be reached in both ways."""

    name: str

    @property
    def closed_loads(self) -> tuple[Load, ...]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def over(self, load: Load, seconds: float, seed: int, *, tcp: bool) -> Sample: ...

    def address(self, *, tcp: bool) -> Address: ...

    def pause(self, on: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """One load over both: median figures in ns (time a request takes), the Unix socket's effect on time and CPU."""

    load: Load
    tcp_ns: float
    unix_ns: float
    time: Estimate
    cpu: Estimate
    spoiled: int


@dataclass(frozen=True, slots=True)
class Burst:
    """Connects at once: how many were refused with EAGAIN, how many took longer than 0.7 s or had no answer.

    `busy`: the server's processes were stopped for 0.3 s meanwhile, as by a slow request. `backlog` is the length of
    the listener's queue that the kernel has (the smaller of what was asked for and somaxconn), None where unknown.
    """

    connects: int
    busy: bool
    refused: int
    late: int
    backlog: int | None

    @property
    def needed(self) -> int | None:
        """A backlog that would have held those that were turned away too; None where unknown.

        As many as connect at once always do.
        """
        return None if self.backlog is None else min(self.connects, self.backlog + self.refused + self.late)


@dataclass(frozen=True, slots=True)
class Sockets:
    """What was found for one service. `bursts`: TCP then Unix, while it answers and while it is busy."""

    service: str
    loads: tuple[Compared, ...]
    bursts: tuple[tuple[Burst, Burst], ...]
    somaxconn: int


def compare(
    service: str,
    seed: int,
    *,
    pairs: int = PAIRS,
    seconds: float = 0.4,
    connects: int = BURST,
    tick: Callable[[], None] = lambda: None,
) -> Sockets:
    """Start the service, measure both ways in turn, then the bursts; about 2 × 2 × `pairs` × `seconds`.

    Raises WrongUse for a service that is none, NotPossible where a program is missing, WorkloadFailed.
    """
    rng = Random(seed)
    with _made(service) as server:
        loads = tuple(_compared(server, load, rng, pairs, seconds, tick) for load in server.closed_loads)
        bursts = tuple(_both(server, connects, busy=busy) for busy in (False, True))
    return Sockets(service, loads, bursts, int(Path("/proc/sys/net/core/somaxconn").read_text()))


def _made(service: str) -> TwoWays:
    if service == "redis":
        from ipctune.workload.redis import Redis

        return Redis()
    if service == "postgres":
        from ipctune.workload.postgres import Postgres

        return Postgres()
    if service in ("nginx", "php-fpm"):
        from ipctune.workload.upstream import Upstream

        return Upstream(service)
    raise WrongUse(f"{service} is none of {', '.join(SERVICES)}")


def _compared(
    server: TwoWays, load: Load, rng: Random, pairs: int, seconds: float, tick: Callable[[], None]
) -> Compared:
    samples: dict[bool, list[Sample]] = {True: [], False: []}
    for tcp in (True, False):
        server.over(load, min(seconds, 0.2), 0, tcp=tcp)  # finds the pace, and warms both up
    for order in pair_orders(rng, pairs):
        for tcp in (True, False) if order == "AB" else (False, True):
            samples[tcp].append(server.over(load, seconds, rng.getrandbits(31), tcp=tcp))
        tick()
    tcps, unixes = samples[True], samples[False]
    return Compared(
        load=load,
        tcp_ns=_median([one.figure for one in tcps]),
        unix_ns=_median([one.figure for one in unixes]),
        time=confirm(pairs_of([one.figure for one in tcps], [one.figure for one in unixes])),
        cpu=confirm(pairs_of([_cpu(one) for one in tcps], [_cpu(one) for one in unixes])),
        spoiled=sum(one.spoiled is not None for one in (*tcps, *unixes)),
    )


def _cpu(sample: Sample) -> float:
    """CPU and polling a request, in ns; at least one, for a logarithm is taken of it."""
    return max(1.0, sample.price_ns / sample.messages)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _both(server: TwoWays, connects: int, *, busy: bool) -> tuple[Burst, Burst]:
    pause = server.pause if busy else None
    return burst(server.address(tcp=True), connects, pause), burst(server.address(tcp=False), connects, pause)


def burst(address: Address, connects: int, pause: Callable[[bool], None] | None = None) -> Burst:
    """Connect `connects` times at once, without blocking as event loops do, and close again.

    A Unix socket whose queue is full answers EAGAIN at once (connect(2)); TCP drops the request and asks again after
    a second (tcp(7)), which counts as late. `pause` stops the server meanwhile.
    """
    found = _drained(address)
    with ExitStack() as stack:
        _room_for(connects, stack)
        poll = stack.enter_context(epoll())
        if pause is not None:
            pause(True)
            stack.callback(pause, False)
        waiting, refused = _connect_all(address, connects, stack, poll)
        if pause is not None:
            time.sleep(_BUSY)
            pause(False)
        late = _late(poll, waiting)
        return Burst(connects, pause is not None, refused, late, None if found is None else found.backlog)


def _connect_all(address: Address, connects: int, stack: ExitStack, poll: epoll) -> tuple[set[int], int]:
    """The sockets that wait for an answer, and how many connects were refused at once."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    waiting: set[int] = set()
    refused = 0
    for _ in range(connects):
        one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        answer = one.connect_ex(address)
        if answer in (errno.EAGAIN, errno.ECONNREFUSED):
            refused += 1
        elif answer == errno.EINPROGRESS:
            waiting.add(one.fileno())
            poll.register(one, EPOLLOUT)
    return waiting, refused


def _late(poll: epoll, waiting: set[int]) -> int:
    """How many have no answer yet after 0.7 s: those wait for TCP's second try."""
    end = time.monotonic() + _LATE
    while waiting and (left := end - time.monotonic()) > 0:
        for fileno, _ in poll.poll(left):
            waiting.discard(fileno)
            with suppress(OSError):
                poll.unregister(fileno)
    return len(waiting)


def _room_for(connects: int, stack: ExitStack) -> None:
    """Raise our own limit of open files for the time of the burst, as far as the hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connects + 256
    if soft < wanted:
        if wanted > hard:
            raise WrongUse(f"{connects} connects take more open files than the {hard} that we may have")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))


def _drained(address: Address) -> Queue | None:
    """The listener's queue once it is empty: closed connections wait in it too. None where ss does not tell."""
    end = time.monotonic() + _DRAINING
    while (found := queue(address)) is not None and found.waiting and time.monotonic() < end:
        time.sleep(0.05)
    if found is None:
        time.sleep(1.0)
    return found
