"""Put back what a journal entry recorded, if it is still ours to put back. May run any number of times."""

import os
from dataclasses import dataclass
from enum import StrEnum

from ipctune.errors import NotPossible
from ipctune.journal.entry import Entry, Phase
from ipctune.journal.machine import boot_id, namespaces
from ipctune.knobs.model import Part, Scope, normal
from ipctune.knobs.model import is_gone as has_ended
from ipctune.knobs.registry import KNOBS

__all__ = ["Restored", "Result", "is_gone", "is_history", "present", "restore"]


class Result(StrEnum):
    """What became of one part."""

    RESTORED = "restored"
    ALREADY = "already the original"
    CHANGED = "changed by someone else since: left alone"
    FAILED = "could not be restored"
    REMOVED = "removed"  # a file of a commit
    ENDED = "ended"  # a lease
    GONE = "gone with its process: nothing to restore"
    HISTORY = "of an earlier boot or another namespace: nothing to restore"


@dataclass(frozen=True, slots=True)
class Restored:
    """The outcome for one part; `now` is its text afterwards, `why` the kernel's reason where it failed."""

    knob: str
    part: str
    where: str
    original: str
    now: str | None
    result: Result
    why: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for this part."""
        return self.result is not Result.FAILED


def is_history(entry: Entry) -> bool:
    """Whether what the entry set is gone anyway: another boot, or a namespace that is not ours.

    What was committed is set again at each boot, so it stays ours over reboots.
    """
    if entry.phase is not Phase.COMMITTED and entry.boot_id != boot_id():
        return True
    if KNOBS[entry.knob].of_target:
        return False  # each part names its own namespace
    name = {Scope.IPC_NAMESPACE: "ipc", Scope.NET_NAMESPACE: "net"}.get(KNOBS[entry.knob].scope)
    return (
        name is not None and entry.phase is not Phase.COMMITTED and entry.namespaces.get(name) != namespaces().get(name)
    )


def is_gone(entry: Entry, part: Part | None) -> bool:
    """Whether an entry of an earlier boot speaks of what this kernel does not have: nothing can be set there."""
    if entry.boot_id == boot_id():
        return False
    return part is None or (part.where.startswith("/") and part.read() is None and not os.path.lexists(part.where))


def present(entry: Entry) -> dict[str, str | None]:
    """What each part of the entry reads now."""
    parts = entry.parts()
    return {name: parts[name].read() if name in parts else None for name in entry.original}


def restore(entry: Entry) -> list[Restored]:
    """Restore every part, last one first (a coupled value may depend on an earlier part)."""
    if is_history(entry):
        return [Restored(entry.knob, p, "", o, None, Result.HISTORY) for p, o in entry.original.items()]
    parts = entry.parts()
    names = reversed(list(entry.original))
    return [_restore_part(entry, name, parts.get(name)) for name in names]


def _restore_part(entry: Entry, name: str, part: Part | None) -> Restored:
    original = entry.original[name]
    if is_gone(entry, part):
        return Restored(entry.knob, name, part.where if part else "", original, None, Result.HISTORY)
    if part is None:
        return Restored(entry.knob, name, "", original, None, Result.FAILED, "it is not there any more")
    if has_ended(part):
        return Restored(entry.knob, name, part.where, original, None, Result.GONE)
    now, ours = part.read(), entry.ours(name)
    outcome = Restored(entry.knob, name, part.where, original, now, Result.ALREADY)
    if now is not None and normal(now) == normal(original):
        return outcome
    if now is not None and ours is not None and normal(now) not in ours:
        return Restored(entry.knob, name, part.where, original, now, Result.CHANGED)
    try:
        part.write(original)
    except NotPossible as error:
        result = Result.GONE if has_ended(part) else Result.FAILED
        return Restored(entry.knob, name, part.where, original, now, result, error.what)
    now = part.read()
    result = Result.RESTORED if now is not None and normal(now) == normal(original) else Result.FAILED
    return Restored(
        entry.knob, name, part.where, original, now, result, "" if result is Result.RESTORED else f"it reads {now}"
    )
