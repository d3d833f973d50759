"""Who waits for which futex, how long, and who wakes in vain, counted by native/bpf/futex.bpf.c."""

import struct
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from ipctune.trace import spins
from ipctune.trace.blob import NoEbpf
from ipctune.trace.calls import CALLS, number_of
from ipctune.trace.load import Cost
from ipctune.trace.model import Lock, Locks
from ipctune.trace.session import SUM, Moment, Session, Sum, grown, own
from ipctune.trace.slots import quantile
from ipctune.trace.symbols import Symbols
from ipctune.trace.whom import Whom

__all__ = ["Counted", "Watcher", "between"]

_NUMBERS = 512
_KINDS = {"futex": 1, "futex_wait": 2, "futex_wake": 3}
_KEY = struct.Struct("=QII")
_REST = struct.Struct("=7QIIi")
_DEPTH = 16
_STACK = struct.Struct(f"={_DEPTH}Q")
_Key = tuple[int, int]
"""Process and address."""


@dataclass(frozen=True, slots=True)
class _Lock:
    """`numbers`: unslept, timed out, interrupted, wakes, woken, in vain, ns from woken to running."""

    waits: Sum
    numbers: tuple[int, ...]
    most_waiting: int
    stack: int


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was counted since the start, at a moment; `names` of addresses and stacks are those of that moment."""

    now: Moment
    locks: dict[_Key, _Lock]
    names: dict[_Key, str]
    stacks: dict[_Key, tuple[str, ...]]
    looks: spins.Looked
    missing: tuple[str, ...] = ()


class Watcher(Session):
    """Counts from when the context begins until it ends."""

    def __init__(self, whom: Whom) -> None:
        kinds = bytearray(_NUMBERS)
        for call in CALLS:
            if call.name in _KINDS:
                kinds[number_of(call)] = _KINDS[call.name]
        super().__init__("futex", whom, bytes(kinds))
        self._symbols = Symbols()
        self._spins: spins.Watcher | None = None
        self._missing: tuple[str, ...] = ()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with self._held as held:
            super().__enter__()
            held.callback(self.loaded.close)
            try:
                self._spins = held.enter_context(spins.Watcher(self.whom, self._symbols))
            except NoEbpf as refused:
                self._missing = (f"who spins: {refused.what}",)
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def follow(self) -> bool:
        """Both programs; False where nobody is left."""
        if self._spins is not None:
            self._spins.follow()
        return super().follow()

    def moment(self) -> Moment:
        """Now, with what both programs took and lost."""
        own_moment = super().moment()
        if self._spins is None:
            return own_moment
        other = self._spins.moment()
        cost = Cost(own_moment.cost.runs + other.cost.runs, own_moment.cost.ns + other.cost.ns)
        return replace(own_moment, lost=own_moment.lost + other.lost, cost=cost)

    def read(self) -> Counted:
        """What was counted so far."""
        locks: dict[_Key, _Lock] = {}
        for key, value in self.loaded.items("sums"):
            address, process, _ = _KEY.unpack(key)
            *numbers, _waiting, most, stack = _REST.unpack_from(value, SUM.size)
            locks[process, address] = _Lock(Sum.read(value[: SUM.size]), tuple(numbers), most, stack)
        now = self.moment()
        for pid in {pid for pid, _ in locks}:
            self._symbols.know(pid)
        names = {key: self._symbols.name(*key) for key in locks}
        stacks = {key: self._stack(key[0], one.stack) for key, one in locks.items() if one.stack >= 0}
        looks = self._spins.read() if self._spins else spins.NOTHING
        return Counted(now, locks, names, stacks, looks, self._missing)

    def _stack(self, pid: int, ident: int) -> tuple[str, ...]:
        value = self.loaded.get("stacks", struct.pack("=I", ident))
        addresses = _STACK.unpack(value) if value else ()
        return tuple(self._symbols.name(pid, address) for address in addresses if address)


def between(before: Counted, after: Counted) -> Locks:
    """What was counted from one moment to another; where threads slept the longest in all comes first."""
    rows = []
    for key, now in after.locks.items():
        was = before.locks.get(key)
        waits = grown(was.waits if was else None, now.waits)
        numbers = [b - a for a, b in zip(was.numbers, now.numbers, strict=True)] if was else list(now.numbers)
        if not (waits.count or any(numbers)):
            continue
        unslept, timed_out, interrupted, wakes, woken, in_vain, to_run_ns = numbers
        rows.append(
            Lock(
                pid=key[0],
                comm=waits.comm,
                address=key[1],
                name=after.names[key],
                slept=waits.count,
                asleep_ns=waits.ns,
                p50_ns=quantile(waits.slots, 0.5),
                p99_ns=quantile(waits.slots, 0.99),
                most_ns=waits.most_ns,
                unslept=unslept,
                timed_out=timed_out,
                interrupted=interrupted,
                wakes=wakes,
                woken=woken,
                in_vain=in_vain,
                to_run_ns=to_run_ns / waits.count if waits.count else None,
                most_waiting=now.most_waiting,
                stack=after.stacks.get(key, ()),
            )
        )
    rows.sort(key=lambda row: (row.asleep_ns, row.unslept + row.wakes), reverse=True)
    seconds, lost = after.now.at - before.now.at, after.now.lost - before.now.lost
    found = spins.between(before.looks, after.looks, seconds)
    return Locks(seconds, tuple(rows), lost, own(before.now, after.now), after.missing, found)
