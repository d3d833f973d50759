"""One journal entry: what a knob was before its first write, and every value that we may have put there.

Kept as one small JSON file with a checksum. It holds knob ids, part names and values, never paths.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from ipctune.errors import NotPossible
from ipctune.knobs.model import Part, Value, normal
from ipctune.knobs.registry import KNOBS

__all__ = ["Entry", "Phase", "checksum", "parse", "serialise", "texts"]

_VERSION = 1


class Phase(StrEnum):
    """How far a change has come."""

    TRYING = "trying"  # comes back when the tuner ends, however it ends
    KEPT = "kept"  # comes back at the deadline
    COMMITTED = "committed"  # lasts; comes back on revert


@dataclass(frozen=True, slots=True)
class Entry:
    """The record of one knob.

    `values` are all values to be tried; `readbacks[i]` is what the kernel showed after `values[i]` was first
    written, or None until that is recorded: until then any value but the original counts as ours. It is empty
    for a value that surely was never written.
    `kept` is the index in `values` of the one that stays. `namespaces` are inode numbers by name.
    """

    knob: str
    original: dict[str, str]
    values: tuple[dict[str, str], ...]
    readbacks: tuple[dict[str, str] | None, ...]
    phase: Phase
    boot_id: str
    namespaces: dict[str, int]
    pid: int
    start: int
    since: float
    kept: int | None = None

    def ours(self, part: str) -> tuple[str, ...] | None:
        """The texts of this part that count as written by us; None: any but the original."""
        if any(read is None for read in self.readbacks):
            return None
        return self.recorded(part)

    def recorded(self, part: str) -> tuple[str, ...]:
        """The texts of this part that we surely wrote: what was asked for, and what the kernel made of it."""
        written = [(v, r) for v, r in zip(self.values, self.readbacks, strict=True) if r]
        texts = [side[part] for pair in written for side in pair if part in side]
        return tuple(dict.fromkeys(normal(text) for text in texts))

    def value(self) -> Value:
        """The value that is kept, or the first one tried."""
        return self.values[self.kept or 0]

    def with_readback(self, index: int, shown: Mapping[str, str]) -> "Entry":
        """The entry after `values[index]` was written and read back."""
        reads = tuple(dict(shown) if i == index else r for i, r in enumerate(self.readbacks))
        return replace(self, readbacks=reads)

    def parts(self) -> Mapping[str, Part]:
        """The parts of the knob that this entry is about, as this machine has them now."""
        everything = KNOBS[self.knob].parts()
        return {name: everything[name] for name in self.original if name in everything}


def serialise(entry: Entry) -> bytes:
    """The entry as one line of JSON, with a checksum over all the rest."""
    fields = {"version": _VERSION, **asdict(entry)}
    return (json.dumps({**fields, "crc32": checksum(fields)}, sort_keys=True) + "\n").encode()


def parse(data: bytes, name: str) -> Entry:
    """Read an entry back.

    Raises NotPossible, naming the file, where it is torn, altered, of another version, or names a knob or
    part that we don't have: the original in it, if it can still be read, is part of the message.
    """
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict):
            raise TypeError("not an object")
        claimed = fields.pop("crc32", None)
        if claimed != checksum(fields):
            raise ValueError("its checksum does not fit")
        if fields.pop("version") != _VERSION:
            raise ValueError("another version of ipctune wrote it")
        entry = _build(fields)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise _damaged(name, data, str(error)) from error
    _check(entry, name, data)
    return entry


def _build(fields: dict[str, Any]) -> Entry:
    return Entry(
        knob=_text(fields["knob"]),
        original=texts(fields["original"]),
        values=tuple(texts(v) for v in fields["values"]),
        readbacks=tuple(None if r is None else texts(r) for r in fields["readbacks"]),
        phase=Phase(fields["phase"]),
        boot_id=_text(fields["boot_id"]),
        namespaces={_text(k): int(v) for k, v in fields["namespaces"].items()},
        pid=int(fields["pid"]),
        start=int(fields["start"]),
        since=float(fields["since"]),
        kept=None if fields["kept"] is None else int(fields["kept"]),
    )


def _check(entry: Entry, name: str, data: bytes) -> None:
    if entry.knob not in KNOBS:
        raise _damaged(name, data, f"there is no knob {entry.knob!r}")
    if name.rsplit("/", 1)[-1] != f"{entry.knob}.json":
        raise _damaged(name, data, f"it speaks of {entry.knob!r}")
    if KNOBS[entry.knob].of_target:
        _check_marks(entry, name, data)
    if len(entry.readbacks) != len(entry.values) or not entry.values:
        raise _damaged(name, data, "values and what was read back don't fit")
    if entry.kept is not None and not 0 <= entry.kept < len(entry.values):
        raise _damaged(name, data, "the kept value is not in it")


def _check_marks(entry: Entry, name: str, data: bytes) -> None:
    """Parts that are named by marks: each must be one, of what this knob may change; and they never last."""
    parts = KNOBS[entry.knob].parts()
    unknown = [part for part in entry.original if part not in parts]
    if unknown:
        raise _damaged(name, data, f"{unknown[0]!r} names nothing that {entry.knob} sets")
    if entry.phase is Phase.COMMITTED:
        raise _damaged(name, data, f"{entry.knob} can't be committed")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def texts(value: object) -> dict[str, str]:
    """The value of a knob as it stands in a file. Raises TypeError where it is something else."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not a value")
    return {_text(k): _text(v) for k, v in value.items()}


def checksum(fields: Mapping[str, Any]) -> str:
    """CRC-32 over the fields: tells what a failing disk made of a file, and stops nobody who forges one."""
    return f"{zlib.crc32(json.dumps(fields, sort_keys=True).encode()):08x}"


def _damaged(name: str, data: bytes, why: str) -> NotPossible:
    text = data[:400].decode("utf-8", "replace").strip()
    return NotPossible(
        f"the journal entry {name} can't be trusted: {why}",
        hint=f"undo.sh in the state folder restores what was recorded; the entry reads: {text}",
    )
