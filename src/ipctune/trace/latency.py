"""How long the calls of IPC take, by process and call, counted in the kernel by native/bpf/latency.bpf.c."""

import errno
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipctune.trace.calls import CALLS, Call, number_of
from ipctune.trace.model import Called, Latencies
from ipctune.trace.session import Moment, Session, Sum, grown, own, settled
from ipctune.trace.slots import quantile
from ipctune.trace.whom import Whom

__all__ = ["Counted", "Watcher", "between"]

_NUMBERS = 512
_ANY_DESCRIPTOR = 0x80
_KEY = struct.Struct("=II")
_FAILURE = struct.Struct("=IHH")
_COUNT = struct.Struct("=Q")
_RESTARTED = (512, 513, 514, 516)  # include/linux/errno.h: a signal came; the call may go on after it
_Key = tuple[int, str]
"""Process and call."""


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was counted since the start, at a moment."""

    now: Moment
    sums: dict[_Key, Sum]
    errors: dict[_Key, dict[str, int]]


class Watcher(Session):
    """Counts from when the context begins until it ends."""

    def __init__(self, whom: Whom, calls: Sequence[Call]) -> None:
        super().__init__("latency", whom, _kinds(calls))
        self._kept: dict[_Key, Sum] = {}

    def read(self) -> Counted:
        """What was counted so far."""
        sums = self.sums(_read, _fold, self._kept)
        now = self.moment()
        errors: dict[_Key, dict[str, int]] = {}
        for key, value in self.loaded.items("failures"):
            process, kind, number = _FAILURE.unpack(key)
            own_errors = errors.setdefault((process, CALLS[kind - 1].name), {})
            name = "EINTR" if number in _RESTARTED else errno.errorcode.get(number, str(number))
            own_errors[name] = own_errors.get(name, 0) + _COUNT.unpack(value)[0]
        return Counted(now, sums, errors)


def between(before: Counted, after: Counted) -> Latencies:
    """What was counted from one moment to another, the most time first; the longest is that since the start."""
    rows = sorted(_rows(before, after), key=lambda row: row.ns, reverse=True)
    return Latencies(
        after.now.at - before.now.at, tuple(rows), after.now.lost - before.now.lost, own(before.now, after.now)
    )


def _read(key: bytes, value: bytes) -> tuple[_Key, Sum]:
    process, kind = _KEY.unpack(key)
    return (process, CALLS[kind - 1].name), Sum.read(value)


def _fold(key: _Key) -> _Key:
    """Of processes whose sums were taken out of the table: all of them together."""
    return 0, key[1]


def _rows(before: Counted, after: Counted) -> Iterator[Called]:
    had = settled(before.sums, after.sums, _fold)
    for key, now in after.sums.items():
        new = grown(had.get(key), now)
        if not new.count:
            continue
        were = before.errors.get(key, {})
        errors = {name: count - were.get(name, 0) for name, count in after.errors.get(key, {}).items()}
        yield Called(
            pid=key[0],
            comm=new.comm,
            call=key[1],
            count=new.count,
            ns=new.ns,
            asleep_ns=new.asleep_ns,
            most_ns=new.most_ns,
            p50_ns=quantile(new.slots, 0.5),
            p99_ns=quantile(new.slots, 0.99),
            errors={name: count for name, count in errors.items() if count},
            slots=new.slots,
        )


def _kinds(calls: Sequence[Call]) -> bytes:
    """The kind of each system call by its number: the place of the call, and whether any descriptor counts."""
    kinds = bytearray(_NUMBERS)
    for call in calls:
        number = number_of(call)
        if 0 <= number < _NUMBERS:
            kinds[number] = (CALLS.index(call) + 1) | (0 if call.by_descriptor else _ANY_DESCRIPTOR)
    return bytes(kinds)
