"""One program in the kernel for as long as it watches: whom it counts, what it lost, what it costs."""

import errno
import os
import resource
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from ipctune.errors import NotPossible
from ipctune.host.text import printable
from ipctune.trace.blob import NoEbpf, read_blob
from ipctune.trace.load import Cost, Loaded, load
from ipctune.trace.model import Own
from ipctune.trace.slots import SLOTS
from ipctune.trace.whom import Whom

__all__ = ["SUM", "Moment", "Session", "Sum", "grown", "name_of", "own", "settled"]

_WHOM = struct.Struct("=II16s16s")
_WINDOW_S, _BETWEEN_S = 0.01, 0.5
_HALF = 2048  # of PROCESSES in native/bpf/whom.h
_COUNT = struct.Struct("=Q")
_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO, include/linux/proc_ns.h
SUM = struct.Struct(f"=QQQQ16s{SLOTS}I")
"""struct sum of native/bpf/sums.h."""


def name_of(comm: bytes) -> str:
    """A program's name as the kernel keeps it, of 16 bytes, without what steers a terminal."""
    text = comm.split(b"\0")[0].decode(errors="replace")
    return " ".join(printable(text).split(" ")).replace("\n", "\ufffd").replace("\t", "\ufffd") or "?"


@dataclass(frozen=True, slots=True)
class Sum:
    """Durations since the start, in ns."""

    comm: str
    count: int
    ns: int
    asleep_ns: int
    most_ns: int
    slots: tuple[int, ...]

    @classmethod
    def read(cls, value: bytes) -> Self:
        """From the bytes of a map."""
        count, ns, asleep, most, comm, *slots = SUM.unpack(value)
        return cls(name_of(comm), count, ns, asleep, most, tuple(slots))

    def __add__(self, other: "Sum") -> "Sum":
        """Both together, under the first one's name."""
        return Sum(
            self.comm,
            self.count + other.count,
            self.ns + other.ns,
            self.asleep_ns + other.asleep_ns,
            max(self.most_ns, other.most_ns),
            tuple(a + b for a, b in zip(self.slots, other.slots, strict=True)),
        )

    def fell_below(self, other: "Sum") -> bool:
        """Whether it has less than it had."""
        return self.count < other.count


@dataclass(frozen=True, slots=True)
class Moment:
    """When sums were read, what had no room by then, and what it took."""

    at: float
    lost: int
    cost: Cost
    cpu_ns: int


@dataclass(slots=True)
class _Windows:
    """What was counted in short windows, for the time from one to the next as well."""

    runs: float = 0.0
    ns: float = 0.0
    _rate: tuple[float, float] = (0.0, 0.0)
    _at: float = 0.0

    def add(self, seconds: float, cost: Cost) -> None:
        """One window: until the next one it goes on like that."""
        self._go_on()
        self._rate = cost.runs / seconds, cost.ns / seconds

    def so_far(self) -> Cost:
        """Runs and ns since the first window."""
        self._go_on()
        return Cost(round(self.runs), round(self.ns))

    def _go_on(self) -> None:
        now = time.monotonic()
        passed = now - self._at if self._at else 0.0
        self.runs += self._rate[0] * passed
        self.ns += self._rate[1] * passed
        self._at = now


def grown(before: Sum | None, after: Sum) -> Sum:
    """What came to a sum between two moments; the longest and the name are those of the later one."""
    if before is None:
        return after
    slots = tuple(b - a for a, b in zip(before.slots, after.slots, strict=True))
    return Sum(
        after.comm,
        after.count - before.count,
        after.ns - before.ns,
        after.asleep_ns - before.asleep_ns,
        after.most_ns,
        slots,
    )


class Added(Protocol):
    """What is kept of an entry of a table: two of them can be added up."""

    def __add__(self, other: Any, /) -> Any: ...

    def fell_below(self, other: Any, /) -> bool: ...


Key = TypeVar("Key")
Value = TypeVar("Value", bound=Added)


def settled(before: Mapping[Key, Value], after: Mapping[Key, Value], fold: Callable[[Key], Key]) -> dict[Key, Value]:
    """`before`, with what was folded since where it is now: what is not there any more, or began anew."""
    found: dict[Key, Value] = {}
    for key, value in before.items():
        at = key if key in after and not after[key].fell_below(value) else fold(key)
        found[at] = found[at] + value if at in found else value
    return found


class Session:
    """Loaded when it is made, attached in the context. Raises NotPossible."""

    def __init__(self, program: str, whom: Whom, settings: bytes = b"", clocked: str = "") -> None:
        if Path("/proc/self/ns/pid").stat().st_ino != _FIRST_PID_NAMESPACE:
            raise NoEbpf("in a PID namespace the kernel's process ids are not ours", hint="run it on the host")
        self.whom, self._clocked = whom, clocked
        self._listed = set() if whom.everybody else whom.processes(all_of_them=True)
        comm = whom.comm.encode()
        mask = b"\xff" * (len(comm) + 1) if comm else b""  # the zero that ends it counts as well
        head = _WHOM.pack(os.getpid(), not whom.everybody, comm, mask)
        self._cost, self._looked_at = _Windows(), float("-inf")
        self.loaded: Loaded = load(read_blob(program), {"rodata_settings": head + settings})

    def __enter__(self) -> Self:
        try:
            self._list(self._listed)
            self.loaded.attach(self._clocked)
        except BaseException:
            self.loaded.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loaded.close()

    def follow(self) -> bool:
        """List processes that joined meanwhile; the program forgets those that ended. False where none is left."""
        self._look_at_cost()
        if self.whom.everybody:
            return True
        try:
            now = self.whom.processes()
        except NotPossible:
            return False
        self._list(now)
        return True

    def watched(self) -> set[int]:
        """The processes that are listed now, with what they started; where everybody is meant none is."""
        return {int.from_bytes(key, sys.byteorder) for key, _ in self.loaded.items("listed")}

    def moment(self) -> Moment:
        """Now: to be asked for right after the sums were read."""
        at = time.monotonic()
        lost = sum(_COUNT.unpack(value)[0] for _, value in self.loaded.items("lost"))
        self._look_at_cost()
        return Moment(at, lost, self._cost.so_far(), time.process_time_ns())

    def sums(
        self,
        read: Callable[[bytes, bytes], tuple[Key, Value]],
        fold: Callable[[Key], Key],
        kept: dict[Key, Value],
    ) -> dict[Key, Value]:
        """All of the table, with what was taken out of it before: once it is half full it is emptied.

        What is taken out goes into `kept` under a key that `fold` makes of its own, so that many objects or processes
        that have gone take no room.
        """
        live = dict(read(key, value) for key, value in self.loaded.items("sums"))
        if len(live) > _HALF:
            live = {}
            for key, value in self.loaded.items("sums", take=True):
                old, one = read(key, value)
                at = fold(old)
                kept[at] = kept[at] + one if at in kept else one
        found = dict(kept)
        for at, one in live.items():
            found[at] = found[at] + one if at in found else one
        return found

    def _look_at_cost(self) -> None:
        """Counting what programs take costs as much as a small program: it is done for a hundredth of the time."""
        if time.monotonic() - self._looked_at >= _BETWEEN_S:
            begun = time.monotonic()
            found = self.loaded.cost(_WINDOW_S)
            self._looked_at = time.monotonic()
            self._cost.add(self._looked_at - begun, found)

    def _list(self, pids: set[int]) -> None:
        try:
            for pid in pids:
                self.loaded.put("listed", struct.pack("=I", pid), b"\1")
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            raise NotPossible(
                f"{len(pids)} processes are too many to be listed", hint="without --cgroup: all"
            ) from None


def own(before: Moment, after: Moment) -> Own:
    """What watching took from one moment to another."""
    runs, ns = after.cost.runs - before.cost.runs, after.cost.ns - before.cost.ns
    return Own(runs, ns, after.cpu_ns - before.cpu_ns, _resident_bytes())


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
