"""TCP or Unix, in words: the verdict follows the intervals, the backlog follows the bursts."""

import pytest

from ipctune.judge.verdict import Estimate
from ipctune.report.sockets import LINES, render
from ipctune.report.style import PLAIN
from ipctune.workload.model import Load
from ipctune.workload.tcp_or_unix import SERVICES, Burst, Compared, Sockets

_FASTER = Estimate(-0.16, -0.19, -0.06, 10)
_SLOWER = Estimate(0.16, 0.06, 0.19, 10)
_EQUAL = Estimate(-0.02, -0.09, 0.05, 10)
_TINY = Estimate(-0.004, -0.006, -0.002, 10)
_FEW = Estimate(-0.5, None, None, 3)


def _found(*times: Estimate, service: str = "redis", refused: int = 488, somaxconn: int = 4096) -> Sockets:
    loads = tuple(
        Compared(Load(f"over {count} connections", 0.0, count), 71e3, 60e3, time, _FASTER, 0)
        for count, time in enumerate(times, 1)
    )
    bursts = tuple(
        (Burst(1000, busy, 0, refused, 511), Burst(1000, busy, refused * busy, 0, 511)) for busy in (False, True)
    )
    return Sockets(service, loads, bursts, somaxconn)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ((_FASTER, _FASTER), "The Unix socket is faster at both loads."),
        ((_FASTER, _EQUAL), "The Unix socket is faster over 1 connections."),
        ((_SLOWER, _EQUAL), "TCP is faster over 1 connections: nothing to change."),
        ((_SLOWER, _FASTER), "Mixed: Unix is faster over 2 connections, TCP over 1 connections."),
        ((_EQUAL, _EQUAL), "No difference"),
        ((_TINY, _TINY), "No difference"),
        ((_FEW, _FEW), "No difference"),
    ],
)
def test_the_verdict_follows_the_intervals(times: tuple[Estimate, ...], says: str) -> None:
    assert says in render(_found(*times), PLAIN)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_says_what_changes_and_what_the_peak_needs(service: str) -> None:
    text = render(_found(_FASTER, _FASTER, service=service), PLAIN)
    assert "needs a backlog of 1024" in text
    assert "EAGAIN" in text
    assert "restart" in text
    assert "without a volume" in text
    assert "{" not in "".join(line for line in text.splitlines() if "backlog" in line)
    assert all(len(line) <= 120 for line in text.splitlines())
    assert set(LINES) == set(SERVICES)


def test_somaxconn_is_named_where_it_cuts() -> None:
    assert "net.core.somaxconn is 128" in render(_found(_FASTER, somaxconn=128), PLAIN)
    assert "somaxconn" not in render(_found(_FASTER), PLAIN)


def test_bursts_that_all_went_through_say_so() -> None:
    text = render(_found(_FASTER, refused=0), PLAIN)
    assert "all answered" in text
    assert "refused at once" not in text
    assert "fits the backlog that it has here (511)" in text
