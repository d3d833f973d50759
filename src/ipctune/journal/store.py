"""The journal in the state folder: entries that are open, the log of what was, `undo.sh`, and the deadline."""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ipctune.errors import IpctuneError, NotPossible
from ipctune.host.state import State, open_state
from ipctune.journal.entry import Entry, Phase, checksum, parse, serialise, texts
from ipctune.journal.machine import boot_id, namespaces, start_time
from ipctune.journal.restore import Restored, Result, restore
from ipctune.journal.script import undo_script
from ipctune.knobs.model import Value, normal
from ipctune.knobs.registry import KNOBS

__all__ = ["ACTIVE", "UNDO", "Active", "Hold", "Journal", "NotWrittenDown", "open_journal"]

ACTIVE, UNDO, LOG = "active.json", "undo.sh", "log.jsonl"


class NotWrittenDown(NotPossible):
    """Everything is restored, and that could not be recorded; `outcomes` is what became of each part."""

    def __init__(self, why: str, outcomes: list[Restored]) -> None:
        hint = "values are back; free space or make the folder writable, then `ipctune revert` closes the record"
        super().__init__(f"restored, but not written down: {why}", hint=hint)
        self.outcomes = outcomes


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease that the watchdog holds for us: a knob and its value."""

    knob: str
    value: dict[str, str]


@dataclass(frozen=True, slots=True)
class Active:
    """What the watchdog has to know: who tunes, what to hold, and until when.

    `deadline` is in seconds of CLOCK_BOOTTIME (it goes on over suspend), `until` the same for people.
    While `tuner` lives, the deadline does not count. `kept` is what stays: knob ids and values, `since` a time (s).
    `aside` is a process that puts it aside for moments, to measure without it; `holds` are let go while `away`.
    """

    tuner: int = 0
    tuner_start: int = 0
    holds: tuple[Hold, ...] = ()
    deadline: float | None = None
    until: float | None = None
    boot_id: str = ""
    committed: bool = False
    since: float = 0.0
    run: str = ""
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    aside: int = 0
    aside_start: int = 0
    away: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """Reads and writes the state folder. One process writes at a time: see `journal.lock`."""

    state: State

    def entries(self) -> list[Entry]:
        """All open entries. Raises NotPossible where one can't be trusted."""
        return [entry for name in self.state.names("journal") if (entry := self._entry(name)) is not None]

    def sound_entries(self) -> tuple[list[Entry], list[IpctuneError]]:
        """The entries that can be read, and an error for each that can't: one bad file must not hide the others."""
        good: list[Entry] = []
        bad: list[IpctuneError] = []
        for name in self.state.names("journal"):
            try:
                entry = self._entry(name)
            except IpctuneError as error:
                bad.append(error)
            else:
                good += [] if entry is None else [entry]
        return good, bad

    def _entry(self, name: str) -> Entry | None:
        """None where it was closed while we looked: whoever only looks holds no lock."""
        data = self.state.read(name)
        return None if data is None else parse(data, name)

    def open(self, knob: str, original: Value, values: list[Value]) -> Entry:
        """Record, durably, what the knob is and every value to be tried, before its first write.

        An entry that is open already keeps its original: `revert` goes back to the first.
        """
        import os

        earlier = next((e for e in self.entries() if e.knob == knob), None)
        merged = {**dict(original), **(earlier.original if earlier else {})}
        old = earlier.values if earlier else ()
        old_reads = earlier.readbacks if earlier else ()
        entry = Entry(
            knob=knob,
            original={name: normal(text) for name, text in merged.items()},
            values=(*old, *(dict(v) for v in values)),
            readbacks=(*old_reads, *(None for _ in values)),
            phase=Phase.TRYING if earlier is None else earlier.phase,
            boot_id=boot_id(),
            namespaces=namespaces(),
            pid=os.getpid(),
            start=start_time(os.getpid()) or 0,
            since=time.time(),
            kept=earlier.kept if earlier else None,
        )
        return self.put(entry)

    def put(self, entry: Entry) -> Entry:
        """Write the entry, and then `undo.sh` with it, to the disk."""
        self.state.write(f"journal/{entry.knob}.json", serialise(entry))
        self.refresh_script()
        return entry

    def read_back(self, entry: Entry, index: int, shown: Value) -> Entry:
        """Record what the kernel made of a value: from now on other texts than these are someone else's.

        `undo.sh` learns it first: killed in between, it would else overwrite what the entry knows to be foreign.
        """
        entry = entry.with_readback(index, shown)
        self.refresh_script(instead=entry)
        self.state.write(f"journal/{entry.knob}.json", serialise(entry))
        return entry

    def keep(self, entry: Entry, index: int) -> Entry:
        """The value stays until the deadline."""
        self.note("kept", knob=entry.knob, value=entry.values[index], original=entry.original)
        return self.put(replace(entry, phase=Phase.KEPT, kept=index))

    def close(self, entry: Entry, event: str, **facts: Any) -> None:
        """The entry's business is done: into the log, and out of the journal."""
        self.note(event, knob=entry.knob, original=entry.original, **facts)
        self.refresh_script(without=entry.knob)
        self.state.remove(f"journal/{entry.knob}.json")

    def restore_all(self, event: str) -> list[Restored]:
        """Restore every entry that can be read, close those that are done, and log it.

        Raises NotWrittenDown where that can't be recorded (a full disk): everything is restored by then.
        """
        entries, _ = self.sound_entries()
        done = [(entry, _restored(entry)) for entry in reversed(entries)]
        unwritten: list[IpctuneError] = []
        for entry, parts in done:
            if all(part.done for part in parts):
                left = [asdict(p) for p in parts if p.result is Result.CHANGED]
                unwritten += self._closed(entry, event, {"left_alone": left} if left else {})
        outcomes = [part for _, parts in done for part in parts]
        if unwritten:
            raise NotWrittenDown(unwritten[0].what, outcomes)
        return outcomes

    def _closed(self, entry: Entry, event: str, facts: dict[str, Any]) -> list[IpctuneError]:
        try:
            self.close(entry, event, **facts)
        except IpctuneError as error:
            return [error]
        return []

    def active(self) -> Active | None:
        """What the watchdog was told, or None. Raises NotPossible where the file is damaged."""
        data = self.state.read(ACTIVE)
        if data is None:
            return None
        try:
            fields = json.loads(data)
            if fields.pop("crc32") != checksum(fields):
                raise ValueError("its checksum does not fit")
            active = _build(fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise NotPossible(f"{self.state.path / ACTIVE} can't be read: {error}", hint="ipctune revert") from error
        unknown = [f"a setting that we don't have: {name}" for name in active.kept if name not in KNOBS]
        unknown += [f"a lease that we don't have: {h.knob}" for h in active.holds if not _is_lease(h.knob)]
        if unknown:
            raise NotPossible(f"{self.state.path / ACTIVE} names {unknown[0]}", hint="ipctune revert")
        return active

    def set_active(self, active: Active | None) -> None:
        """Tell the watchdog (it rereads the file when it is signalled), or that nothing is active any more.

        `undo.sh` follows: leases have no entry, and what it removes depends on the orders.
        """
        if active is None:
            self.state.remove(ACTIVE)
        else:
            fields = json.loads(json.dumps(asdict(active)))
            self.state.write(ACTIVE, (json.dumps({**fields, "crc32": checksum(fields)}) + "\n").encode())
        self.refresh_script()

    def note(self, event: str, **facts: Any) -> None:
        """A line for `ipctune log`."""
        line = {"time": time.time(), "event": event, "boot_id": boot_id(), **facts}
        self.state.append(LOG, json.dumps(line).encode())

    def log(self) -> list[dict[str, Any]]:
        """All lines of the log, oldest first; torn ones are left out."""
        lines = []
        for raw in (self.state.read(LOG) or b"").splitlines():
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict) and isinstance(line.get("time"), int | float) and "event" in line:
                lines.append(line)
        return lines

    def refresh_script(self, *, instead: Entry | None = None, without: str = "") -> None:
        """Write `undo.sh` anew from the entries; nothing to undo: an empty script that says so by doing nothing.

        `instead` takes the place of that knob's entry, and `without` leaves one out: what they are about to be.
        """
        entries, bad = self.sound_entries()
        if bad:
            return  # the script as it is may know what a damaged entry no longer tells
        entries = [instead if instead and e.knob == instead.knob else e for e in entries if e.knob != without]
        self.state.write(UNDO, self._script(entries), mode=0o700)

    def _script(self, entries: list[Entry]) -> bytes:
        return undo_script(entries, boot_id(), self.state.path, committed=self._committed()).encode()

    def _committed(self) -> bool:
        try:
            active = self.active()
        except NotPossible:
            return True  # damaged orders: removing files that are not there does no harm
        return active is not None and active.committed


def _build(fields: dict[str, Any]) -> Active:
    """Raises KeyError, TypeError, ValueError or AttributeError where a field is not what it must be."""
    holds = tuple(Hold(str(h["knob"]), texts(h["value"])) for h in fields.pop("holds"))
    kept = {str(knob): texts(value) for knob, value in fields.pop("kept", {}).items()}
    active = Active(holds=holds, kept=kept, **fields)
    times = (active.since, active.deadline or 0, active.until or 0)
    numbers = (active.tuner, active.tuner_start, active.aside, active.aside_start, *times)
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError("a number is none")
    return active


def _is_lease(knob: str) -> bool:
    return knob in KNOBS and KNOBS[knob].lease is not None


def _restored(entry: Entry) -> list[Restored]:
    """Whatever goes wrong with one entry must not keep the others from their originals."""
    try:
        return restore(entry)
    except Exception as error:
        why = error.what if isinstance(error, IpctuneError) else f"{type(error).__name__}: {error}"
        return [Restored(entry.knob, p, "", o, None, Result.FAILED, why) for p, o in entry.original.items()]


def open_journal(*, create: bool = True) -> Journal | None:
    """The journal of whoever runs us; None where there is no state folder and none is to be made."""
    state = open_state(create=create)
    return None if state is None else Journal(state)
