"""Each bottleneck is made for real and named, and is not named where it was not made."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.host.lever import needs_haltpoll

from ipctune.bench.spec import Spec
from ipctune.host import read_host
from ipctune.knobs.model import Cause
from ipctune.knobs.registry import KNOBS
from ipctune.tune.causes import differences, explain
from ipctune.tune.evidence import LEAST_SHARE
from ipctune.tune.loop import placed
from ipctune.tune.model import Bottleneck, Settings

LEASE = KNOBS["cpu-dma-latency"].lease


def look(cause: Cause, spec: Spec) -> Bottleneck:
    """What the evidence says of one cause, for this workload, now."""
    host = read_host(quick=True)
    spec = placed(host, spec)
    difference = next(d for d in differences(host, Settings(spec=spec)) if d.cause == cause)
    return explain(difference, 6, random.Random(1), lambda _: None, block=0.1, rest=0.1)


def named(found: Bottleneck) -> bool:
    return found.low is not None and found.low >= LEAST_SHARE


@contextmanager
def hog(cpu: int) -> Iterator[int]:
    """A process that computes on one vCPU for as long as the context lasts."""
    pid = os.fork()
    if not pid:
        os.sched_setaffinity(0, {cpu})
        while True:
            pass
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@needs_haltpoll
def test_a_pair_across_two_idle_vcpus_waits_for_halted_ones() -> None:
    assert named(look(Cause.HALTED_WAKE, Spec()))


@needs_haltpoll
def test_nobody_waits_for_a_halted_vcpu_while_none_may_halt() -> None:
    assert LEASE is not None
    with LEASE({"latency_us": "0"}):
        assert not named(look(Cause.HALTED_WAKE, Spec()))


def test_a_stream_through_one_page_waits_for_room() -> None:
    assert named(look(Cause.FULL_QUEUE, Spec(pattern="stream", size=4096, capacity=4096)))


def test_a_stream_with_room_does_not() -> None:
    found = look(Cause.FULL_QUEUE, Spec(pattern="stream", size=64, capacity=1 << 19))
    assert not named(found)


def test_a_mebibyte_is_copied() -> None:
    assert named(look(Cause.COPYING, Spec(size=1 << 20)))


def test_sixty_four_bytes_are_not_worth_the_name() -> None:
    assert not named(look(Cause.COPYING, Spec()))


def test_beside_a_hog_the_pair_waits_in_the_run_queue() -> None:
    with hog(read_host(quick=True).cpus.allowed[1]):
        assert named(look(Cause.RUN_QUEUE, Spec()))


def test_alone_it_does_not() -> None:
    assert not named(look(Cause.RUN_QUEUE, Spec()))
