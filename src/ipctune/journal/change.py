"""One knob's change while it is tried: record, write, verify, take back, keep."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType

from ipctune.errors import NotPossible
from ipctune.journal.entry import Entry
from ipctune.journal.restore import Result, restore
from ipctune.journal.store import Journal
from ipctune.knobs.model import Knob, Part, Value, is_gone, normal

__all__ = ["Change", "Interference"]


class Interference(NotPossible):
    """Someone else changed the setting while we tried it: their value is left alone."""


class Change:
    """A context in which a knob's values can be set and taken back; leaving it restores, unless one was kept.

    The original and every value to be tried are on the disk before the first write. Leases end with the
    context, and by themselves when we die.
    """

    def __init__(self, journal: Journal, knob: Knob, values: Sequence[Value]) -> None:
        self.knob = knob
        self.values = list(values)
        self._journal = journal
        self._entry: Entry | None = None
        self._parts: dict[str, Part] = {}
        self._lease: ExitStack | None = None
        self._pids: tuple[int, ...] = ()
        self._unrecorded: set[str] = set()  # parts that were written, and not read back yet
        self._first = 0
        self._kept = False
        self.rounded: dict[str, str] = {}

    def __enter__(self) -> "Change":
        everything = self.knob.parts()
        touched = dict.fromkeys(name for value in self.values for name in value if name in everything)
        found = {name: everything[name] for name in touched}
        self._parts = {name: part for name, part in found.items() if not is_gone(part)}
        self._none_left(found)
        original = {name: self._read(name) for name in self._parts}
        if original:
            self._entry = self._journal.open(self.knob.id, original, [self._written(v) for v in self.values])
            self._first = len(self._entry.values) - len(self.values)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept:
            self._end_lease()
            return
        try:
            self.unset()
        except Interference:
            if self._entry is not None:
                restore(self._entry)  # the parts that are ours still; the entry goes on naming the other
            raise
        if self._entry is not None:
            done = restore(self._entry)
            if any(part.result is Result.FAILED for part in done):
                failed = next(part for part in done if part.result is Result.FAILED)
                raise NotPossible(
                    f"{failed.where} could not be put back to {failed.original}: {failed.why}", hint="ipctune revert"
                )
            self._journal.close(self._entry, "taken back")
            self._entry = None

    def set(self, index: int) -> None:
        """Put the value in force and read it back.

        Raises NotPossible where the kernel refuses it, Interference where the present text is neither the
        original nor one that we wrote, also before our first write.
        """
        value = self.values[index]
        self._drop_gone()
        if self._entry is not None and self._entry.readbacks[self._first + index] == {}:
            raise Interference(f"someone else has set {self.knob.title}: it is not tried any more")
        for name, text in self._written(value).items():
            self._check_ours(name, index)
            self._unrecorded.add(name)
            self._parts[name].write(text)
        self._record(index)
        self._unrecorded.clear()
        if self.knob.lease is not None and self._lease is None:
            with ExitStack() as stack:
                held = stack.enter_context(self.knob.lease(value))
                self._pids = tuple(held) if isinstance(held, list) else ()
                self._lease = stack.pop_all()

    def unset(self) -> None:
        """Take the value back: the lease ends, the originals are written."""
        self._end_lease()
        if self._entry is None:
            return
        for name, part in reversed(self._parts.items()):
            if is_gone(part):
                continue
            if self._check_ours(name) != self._entry.original[name]:
                part.write(self._entry.original[name])
        self._unrecorded.clear()

    def keep(self, index: int) -> None:
        """Leave this value in force (a lease passes to the watchdog, which must hold it before we let go)."""
        self.set(index)
        if self._entry is not None:
            self._entry = self._journal.keep(self._entry, self._first + index)
        self._kept = True

    def _written(self, value: Value) -> dict[str, str]:
        return {name: text for name, text in value.items() if name in self._parts}

    def _drop_gone(self) -> None:
        """Forget parts that have ended with their process: there is nothing to set and nothing to restore."""
        before = self._parts
        self._parts = {name: part for name, part in before.items() if not is_gone(part)}
        self._unrecorded &= self._parts.keys()
        self._none_left(before)

    def _none_left(self, before: Mapping[str, Part]) -> None:
        if before and not self._parts:
            where = next(iter(before.values())).where
            raise NotPossible(f"{where} is gone: the process has closed it, or has ended")

    def _read(self, name: str) -> str:
        text = self._parts[name].read()
        if text is None:
            raise NotPossible(
                f"{self._parts[name].where} can't be read", hint="root may be needed, or the kernel lacks it"
            )
        return normal(text)

    def _check_ours(self, name: str, index: int | None = None) -> str:
        """The present text, if it is the original or one of ours; what was just written may read as anything."""
        assert self._entry is not None
        now = self._read(name)
        ours = (self._entry.original[name], *self._entry.recorded(name))
        if name not in self._unrecorded and now not in ours:
            self._disown(index)
            raise Interference(
                f"someone else set {self._parts[name].where} to {now} while it was tried",
                hint="their value is left alone; look for another tuner (tuned, a cloud agent), then try again",
            )
        return now

    def _disown(self, index: int | None) -> None:
        """Write down which values were never written: someone else's must not be taken for one of them later."""
        for i in range(len(self.values)):
            if self._entry is not None and self._entry.readbacks[self._first + i] is None:
                shown = {name: self._read(name) for name in self._unrecorded} if i == index else {}
                self._entry = self._journal.read_back(self._entry, self._first + i, shown)

    def _record(self, index: int) -> None:
        """Read back what was written; the first time, write down what the kernel made of it."""
        if self._entry is None:
            return
        shown = {name: self._read(name) for name in self._written(self.values[index])}
        wanted = self._written(self.values[index])
        self.rounded |= {name: text for name, text in shown.items() if text != normal(wanted[name])}
        if self._entry.readbacks[self._first + index] is None:
            unchanged = [n for n in shown if shown[n] == self._entry.original[n] and normal(wanted[n]) != shown[n]]
            self._entry = self._journal.read_back(self._entry, self._first + index, shown)
            if unchanged:
                name = unchanged[0]
                raise NotPossible(f"{self._parts[name].where} accepted {wanted[name]} and still reads {shown[name]}")

    def pids(self) -> tuple[int, ...]:
        """Processes of ours that the lease runs (pollers)."""
        return self._pids

    def _end_lease(self) -> None:
        lease, self._lease = self._lease, None
        self._pids = ()
        if lease is not None:
            lease.close()
