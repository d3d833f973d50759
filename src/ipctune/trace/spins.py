"""Who waits by spinning, which no system call shows: vCPUs are looked at by their clock (native/bpf/spins.bpf.c).

A thread that spins is always at the same few bytes of code. So is one that works in a tight loop: they are told apart
by what lies there, the instruction that a spin-wait is written with (PAUSE, YIELD, ISB), or an exchange that holds the
bus.
"""

import os
import struct
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipctune.trace.model import Spin
from ipctune.trace.session import Session, name_of
from ipctune.trace.symbols import Symbols
from ipctune.trace.whom import Whom

__all__ = ["NOTHING", "Looked", "Watcher", "between", "evidence", "spinning"]

FREQUENCY = 199
"""Looks a second at each vCPU: no divisor of what programs do every so many ms."""
LINE = 16
"""Bytes of code that count as one place: a spin-wait is no longer than two."""
_KEY = struct.Struct("=QII")
_VALUE = struct.Struct("=Q16s")
_FEWEST, _SHARE = 20, 0.5
_X86 = {b"\xf3\x90": "PAUSE", b"\xf0\x0f\xb1": "LOCK CMPXCHG", b"\xf0\x48\x0f\xb1": "LOCK CMPXCHG"}
_ARM = {b"\x3f\x20\x03\xd5": "YIELD", b"\xdf\x3f\x03\xd5": "ISB", b"\x5f\x20\x03\xd5": "WFE"}


@dataclass(frozen=True, slots=True)
class Looked:
    """By process and line of code how often it was there, line 0 being the kernel; and what lies where it was most."""

    looks: Mapping[int, Mapping[int, int]]
    comms: Mapping[int, str]
    places: Mapping[tuple[int, int], tuple[str, str]]


NOTHING = Looked({}, {}, {})


@dataclass(frozen=True, slots=True)
class _Window:
    line: int
    count: int


class Watcher(Session):
    """Looks from when the context begins until it ends."""

    def __init__(self, whom: Whom, symbols: Symbols) -> None:
        super().__init__("spins", whom, clocked="look")
        self._symbols = symbols
        self._comms: dict[int, str] = {}
        self._places: dict[tuple[int, int], tuple[str, str]] = {}
        self._before: dict[int, dict[int, int]] = {}

    def __enter__(self) -> "Watcher":
        super().__enter__()
        try:
            self.loaded.clock("look", FREQUENCY)
        except BaseException:
            self.loaded.close()
            raise
        return self

    def read(self) -> Looked:
        """Where they were so far; code that is often met is read while its process lives."""
        found: dict[int, dict[int, int]] = defaultdict(dict)
        for key, value in self.loaded.items("sums"):
            line, process, _ = _KEY.unpack(key)
            count, comm = _VALUE.unpack(value)
            found[process][line] = count
            self._comms[process] = name_of(comm)
        for process, lines in found.items():
            had = self._before.get(process, {})
            self._know(process, _hottest(lines))
            self._know(process, _hottest({line: count - had.get(line, 0) for line, count in lines.items()}))
        self._before = dict(found)
        return Looked(dict(found), dict(self._comms), dict(self._places))

    def _know(self, process: int, window: "_Window | None") -> None:
        """What lies there, once."""
        if window is not None and (process, window.line) not in self._places:
            self._symbols.know(process)
            name = self._symbols.name(process, window.line * LINE)
            self._places[process, window.line] = name, evidence(_code(process, window.line))


def between(before: Looked, after: Looked, seconds: float) -> tuple[Spin, ...]:
    """Who spun between two moments."""
    found = []
    for process, lines in after.looks.items():
        had = before.looks.get(process, {})
        window = spinning({line: count - had.get(line, 0) for line, count in lines.items()})
        name, told = after.places.get((process, window.line), ("", "")) if window else ("", "")
        if window and told:
            vcpu = window.count / FREQUENCY / seconds
            found.append(Spin(process, after.comms.get(process, "?"), vcpu, name, told))
    return tuple(sorted(found, key=lambda spin: spin.vcpu, reverse=True))


def spinning(lines: Mapping[int, int]) -> _Window | None:
    """The two neighbouring lines where a process is at least half of the time; None where there are none."""
    window = _hottest(lines)
    if window is None or window.count < max(_FEWEST, _SHARE * sum(lines.values())):
        return None
    return window


def _hottest(lines: Mapping[int, int]) -> _Window | None:
    both = [_Window(line, lines[line] + lines.get(line + 1, 0)) for line in lines if line]
    both += [_Window(line - 1, lines[line]) for line in lines if line and line - 1 not in lines]
    best = max((window.count for window in both), default=0)
    # Of windows alike the one that begins with code that was met: what came before it may be anything.
    return next((window for window in both if window.count == best), None) if best else None


def evidence(code: bytes) -> str:
    """The instruction that waiting in a loop is written with; empty where there is none."""
    known = _ARM if os.uname().machine == "aarch64" else _X86
    return next((name for pattern, name in known.items() if pattern in code), "")


def _code(pid: int, line: int) -> bytes:
    try:
        with Path(f"/proc/{pid}/mem").open("rb") as memory:
            memory.seek(line * LINE)
            return memory.read(2 * LINE)
    except (OSError, ValueError, OverflowError):
        return b""
