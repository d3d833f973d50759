"""How much goes through each pipe, socket and queue, by process and end, counted by native/bpf/pipes.bpf.c."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ipctune.trace.calls import CALLS, number_of
from ipctune.trace.model import End, Flow, Flows
from ipctune.trace.session import Moment, Session, name_of, own, settled
from ipctune.trace.whom import Whom

__all__ = ["TALKS", "Counted", "Watcher", "between"]

_NUMBERS = 512
_OF_INTEREST, _SENDS, _SYSTEM_V, _POSIX_QUEUE, _RETURNS_MESSAGES, _RETURNS_NOTHING, _ONLY_WAKES = (
    1 << bit for bit in range(7)
)
_KINDS = {
    **dict.fromkeys(("read", "readv", "preadv2", "recvfrom", "recvmsg"), _OF_INTEREST),
    **dict.fromkeys(("write", "writev", "pwritev2", "sendto", "sendmsg"), _OF_INTEREST | _SENDS),
    "recvmmsg": _OF_INTEREST | _RETURNS_MESSAGES,
    "sendmmsg": _OF_INTEREST | _SENDS | _RETURNS_MESSAGES,
    "msgrcv": _OF_INTEREST | _SYSTEM_V,
    "msgsnd": _OF_INTEREST | _SYSTEM_V | _SENDS | _RETURNS_NOTHING,
    "mq_timedreceive": _OF_INTEREST | _POSIX_QUEUE,
    "mq_timedsend": _OF_INTEREST | _POSIX_QUEUE | _SENDS | _RETURNS_NOTHING,
}
TALKS = {
    1: "pipe",
    2: "unix",
    3: "loopback",
    4: "socket",
    5: "eventfd",
    8: "sysv-msg",
    9: "posix-mq",
    10: "futex",
    11: "sysv-sem",
}
"""Kinds of objects, as native/bpf/talk.h numbers them."""
_WAKES = {
    **dict.fromkeys(("futex", "futex_wake"), _OF_INTEREST | _ONLY_WAKES),
    **dict.fromkeys(("semop", "semtimedop"), _OF_INTEREST | _ONLY_WAKES | _SYSTEM_V),
}
_KEY = struct.Struct("=QIHH")
_FLOW = struct.Struct("=8Q16s")


@dataclass(frozen=True, slots=True)
class _Key:
    object: int
    process: int
    talk: int
    sends: bool


@dataclass(frozen=True, slots=True)
class _Sums:
    numbers: tuple[int, ...]
    comm: str

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(tuple(a + b for a, b in zip(self.numbers, other.numbers, strict=True)), self.comm)

    def fell_below(self, other: "_Sums") -> bool:
        """Whether it has less of anything than it had."""
        return any(a < b for a, b in zip(self.numbers, other.numbers, strict=True))


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was counted since the start, at a moment."""

    now: Moment
    sums: dict[_Key, _Sums]


class Watcher(Session):
    """Counts from when the context begins until it ends."""

    def __init__(self, whom: Whom, program: str = "pipes") -> None:
        self._kept: dict[_Key, _Sums] = {}
        super().__init__(program, whom, _kinds(_KINDS if program == "pipes" else _KINDS | _WAKES))

    def read(self) -> Counted:
        """What was counted so far."""
        sums = self.sums(_read, _fold, self._kept)
        return Counted(self.moment(), sums)


def between(before: Counted, after: Counted) -> Flows:
    """What went through from one moment to another, the most bytes first, then the most messages."""
    ends: dict[tuple[int, int], list[End]] = defaultdict(list)
    had = settled(before.sums, after.sums, _fold)
    for key, now in after.sums.items():
        was = had.get(key)
        numbers = [b - a for a, b in zip(was.numbers, now.numbers, strict=True)] if was else list(now.numbers)
        if any(numbers):
            ends[key.talk, key.object].append(_end(key, now.comm, numbers))
    flows = [
        Flow(TALKS.get(talk, "?"), ident, tuple(sorted(some, key=_by_side))) for (talk, ident), some in ends.items()
    ]
    flows.sort(
        key=lambda flow: (_most(end.bytes for end in flow.ends), _most(e.messages for e in flow.ends)), reverse=True
    )
    return Flows(
        after.now.at - before.now.at, tuple(flows), after.now.lost - before.now.lost, own(before.now, after.now)
    )


def _read(key: bytes, value: bytes) -> tuple[_Key, _Sums]:
    ident, process, talk, sends = _KEY.unpack(key)
    *numbers, comm = _FLOW.unpack(value)
    return _Key(ident, process, talk, bool(sends)), _Sums(tuple(numbers), name_of(comm))


def _fold(key: _Key) -> _Key:
    """Of objects whose sums were taken out of the table: those of a process and a kind together."""
    return replace(key, object=0)


def _end(key: _Key, comm: str, numbers: list[int]) -> End:
    messages, moved, asleep, slept, failed, fill, capacity, _looks = numbers
    return End(
        pid=key.process,
        comm=comm,
        sends=key.sends,
        messages=messages,
        bytes=moved,
        slept=slept,
        asleep_ns=asleep,
        failed=failed,
        fill=fill / capacity if capacity else None,
    )


def _by_side(end: End) -> tuple[bool, int]:
    return not end.sends, -end.bytes


def _most(values: Iterable[int]) -> int:
    return max(values, default=0)


def _kinds(by_name: Mapping[str, int]) -> bytes:
    kinds = bytearray(_NUMBERS)
    for call in CALLS:
        number = number_of(call)
        if call.name in by_name and 0 <= number < _NUMBERS:
            kinds[number] = by_name[call.name]
    return bytes(kinds)
