"""What `agreement` compares: two arms a row, each a way to get nanoseconds a round trip or message from one block."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import agreement_said as said
from benchmarks.agreement_programs import Place, compiled, hackbench, perf
from benchmarks.agreement_programs import said as run

from ipctune.bench import core
from ipctune.bench.spec import FREE, Spec

__all__ = ["GROUPS", "Arm", "Block", "Row", "counted", "rows"]

Block = Callable[[], float]
"""Measures one block: nanoseconds a round trip or message."""
Arm = Callable[[float], Block]
"""Makes ready for blocks of about so many seconds."""

GROUPS = (
    "perf",
    "futex",
    "latency",
    "latency-why",
    "messaging",
    "hackbench",
    "hackbench-why",
    "bandwidth",
    "bandwidth-why",
)

SENDERS = 20
"""Senders and receivers of a group in `perf bench sched messaging`, which has no option for them."""
FEWEST_S = 0.05
"""Programs that print whole milliseconds are told how much to do by a run at least as long."""


@dataclass(frozen=True, slots=True)
class Row:
    """`theirs` against `ours`; where the second is no measurement of ours, its name says so."""

    group: str
    where: str
    theirs: str
    ours: str
    measure_theirs: Arm
    measure_ours: Arm


def counted(measure: Callable[[int], float], few: int) -> Arm:
    """An arm that is told how often, not how long. `measure(count)` gives nanoseconds each, `count` at least `few`."""

    def ready(seconds: float) -> Block:
        count = few
        while (each := measure(count)) * count < min(FEWEST_S, seconds) * 1e9:
            count *= 4
        count = max(few, int(seconds * 1e9 / each))
        return lambda: measure(count)

    return ready


def ours(mechanism: str, size: int, place: Place, pattern: str = "ping-pong") -> Arm:
    """Our core: the mean round trip, or the mean time a message of a stream takes."""
    spec = Spec(mechanism=mechanism, size=size, cpus=place or FREE, pattern=pattern)

    def block(seconds: float) -> float:
        found = core.run(spec, seconds, random.getrandbits(31))
        return found.latency.mean if found.latency else found.seconds * 1e9 / found.messages

    return lambda seconds: partial(block, seconds)


def perf_pipe(place: Place, *words: str) -> Arm:
    """A round trip of 4 bytes through two pipes."""
    return counted(
        lambda count: said.perf_pipe_ns(run([perf(), "bench", "sched", "pipe", "-l", str(count), *words], place)), 5000
    )


def perf_messaging(*words: str) -> Arm:
    """A message of 100 bytes, one group of twenty senders to each of twenty receivers."""

    def measure(count: int) -> float:
        loops = max(1, count // SENDERS**2)
        command = [perf(), "bench", "sched", "messaging", "-g", "1", "-l", str(loops), *words]
        return said.perf_messaging_ns(run(command)) / (loops * SENDERS**2)

    return counted(measure, 40 * SENDERS**2)


def hackbench_messages(fds: int, place: Place, *words: str) -> Arm:
    """The same of hackbench, with so many senders and receivers."""

    def measure(count: int) -> float:
        loops = max(1, count // fds**2)
        command = [hackbench(), "-g", "1", "-f", str(fds), "-s", "100", "-l", str(loops), *words]
        return said.hackbench_ns(run(command, place)) / (loops * fds**2)

    return counted(measure, 40 * SENDERS**2)


def loop(folder: Path, what: str, size: int, place: Place, *words: str) -> Arm:
    """A bare loop, built into `folder`: `what` is a pattern and a mechanism in its own words."""
    cpus = [str(cpu) for cpu in place or FREE]

    def measure(count: int) -> float:
        return said.loops_ns(run([compiled(folder), *what.split(), str(count), str(size), *cpus, *words]))

    return counted(measure, 1000)


def rows(folder: Path, places: dict[str, Place]) -> Iterator[Row]:
    """Every comparison, on each of `places`; those of forty processes where the scheduler puts them."""
    for where, place in places.items():
        yield from _perf(where, place)
        yield from _futex(folder, where, place)
        yield from _latency(folder, where, place)
        yield from _one_sender(folder, where, place)
        yield from _bandwidth(folder, where, place)
    for kind, theirs, others in (("sockets", [], []), ("pipes", ["-p"], ["-p"])):
        yield Row(
            "messaging",
            "scheduler's",
            f"perf bench sched messaging, {kind}",
            f"hackbench, {kind}",
            perf_messaging(*theirs),
            hackbench_messages(SENDERS, None, *others),
        )


def _perf(where: str, place: Place) -> Iterator[Row]:
    core_pipe = "pipe, 4 B, round trip"
    processes, threads = "perf bench sched pipe", "perf bench sched pipe -T"
    yield Row("perf", where, processes, core_pipe, perf_pipe(place), ours("pipe", 4, place))
    yield Row("perf", where, threads, core_pipe, perf_pipe(place, "-T"), ours("pipe", 4, place))
    yield Row("perf", where, threads, f"{processes} (no measurement of ours)", perf_pipe(place, "-T"), perf_pipe(place))


def _futex(folder: Path, where: str, place: Place) -> Iterator[Row]:
    name, core_name = "loop, futex token", "memfd-futex, 4 B, round trip"
    yield Row("futex", where, name, core_name, loop(folder, "ping futex", 4, place), ours("memfd-futex", 4, place))
    clocked = loop(folder, "ping futex", 4, place, "clock", "check")
    yield Row("futex", where, f"{name}, clock, check", core_name, clocked, ours("memfd-futex", 4, place))


def _latency(folder: Path, where: str, place: Place) -> Iterator[Row]:
    for kind, mechanism in (("pipe", "pipe"), ("unix", "unix-stream"), ("tcp", "tcp")):
        bare = loop(folder, f"ping {kind}", 1, place)
        like = f"loop, like lat_{kind}"
        yield Row("latency", where, like, f"{mechanism}, 1 B, round trip", bare, ours(mechanism, 1, place))
    ring = loop(folder, "ring pipe", 4, place)
    yield Row("latency", where, "loop, a lap as of lat_ctx 2", "pipe, 4 B, round trip", ring, ours("pipe", 4, place))
    same = loop(folder, "ping pipe", 1, place, "clock", "check")
    yield Row("latency-why", where, "loop, pipe, clock, check", "pipe, 1 B, round trip", same, ours("pipe", 1, place))


def _one_sender(folder: Path, where: str, place: Place) -> Iterator[Row]:
    for kind, mechanism, words in (("pipe", "pipe", ["-p"]), ("unix", "unix-stream", [])):
        core_name = f"{mechanism}, 100 B, message"
        theirs = hackbench_messages(1, place, *words)
        name = f"hackbench -g 1 -f 1, {kind}"
        yield Row("hackbench", where, name, core_name, theirs, ours(mechanism, 100, place, "stream"))
        bare = loop(folder, f"stream {kind}", 100, place, "whole")
        yield Row("hackbench-why", where, name, f"loop, {kind}, 100 B (no measurement of ours)", theirs, bare)
        checked = loop(folder, f"stream {kind}", 100, place, "check")
        like = f"loop, {kind}, check"
        yield Row("hackbench-why", where, like, core_name, checked, ours(mechanism, 100, place, "stream"))


def _bandwidth(folder: Path, where: str, place: Place) -> Iterator[Row]:
    for kind, mechanism in (("pipe", "pipe"), ("unix", "unix-stream"), ("tcp", "tcp")):
        core_name = f"{mechanism}, 64 KiB, message"
        bare = loop(folder, f"stream {kind}", 65536, place)
        measured = ours(mechanism, 65536, place, "stream")
        yield Row("bandwidth", where, f"loop, like bw_{kind}", core_name, bare, measured)
        whole = loop(folder, f"stream {kind}", 65536, place, "whole")
        yield Row("bandwidth-why", where, f"loop, {kind}, whole", core_name, whole, measured)
        checked = loop(folder, f"stream {kind}", 65536, place, "check")
        yield Row("bandwidth-why", where, f"loop, {kind}, check", core_name, checked, measured)
