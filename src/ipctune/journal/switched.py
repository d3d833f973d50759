"""What is kept, switched off and on as a whole; and back on where whoever switched it off was killed."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ipctune.journal import launch
from ipctune.journal.bootorder import whose
from ipctune.journal.entry import Entry, Phase
from ipctune.journal.lasting import UNIT
from ipctune.journal.machine import alive
from ipctune.journal.restore import present
from ipctune.journal.store import Active, Journal
from ipctune.knobs.model import normal

__all__ = ["Aside", "back_on", "is_aside", "kept_entries"]


class Aside:
    """The kept set, switched off and on. Values that someone else changed are not touched: `changed` names them."""

    def __init__(self, journal: Journal, active: Active, entries: list[Entry]) -> None:
        self._journal, self._active = journal, active
        self.kept = active.kept
        self.changed = [name for e in entries for name in _foreign(e)]
        self._entries = [] if self.changed else entries
        self._off = False

    def off(self) -> None:
        """The originals are in force, leases are let go."""
        if not self._off:
            self._off = True
            self._note(_write(self._entries, originals=True))
            _lease(self._journal, self._active, held=False)

    def on(self) -> None:
        """What is kept is in force again."""
        if self._off:
            self._note(_write(self._entries, originals=False))
            _lease(self._journal, self._active, held=True)
            self._off = False

    def _note(self, changed: Iterable[str]) -> None:
        self.changed += [name for name in changed if name not in self.changed]


def kept_entries(journal: Journal) -> list[Entry]:
    """The entries of what stays."""
    return [entry for entry in journal.entries() if entry.phase is not Phase.TRYING]


def is_aside(active: Active) -> bool:
    """Whether whoever put the set aside was killed before it was back on."""
    return bool(active.aside) and not alive(active.aside, active.aside_start)


def back_on(journal: Journal, active: Active) -> None:
    """What a killed `verify` left aside is in force again. Raises NotPossible where it can't be; it is tried again."""
    _write(kept_entries(journal), originals=False)
    _lease(journal, active, held=True)
    journal.set_active(replace(active, aside=0, aside_start=0, away=False))
    journal.note("back in force after a verify that was killed", kept=active.kept)


def _write(entries: Iterable[Entry], *, originals: bool) -> list[str]:
    """Switch every part that reads as one of our two values; one that someone else changed stays, and is named."""
    changed = []
    for entry in entries:
        parts, value = entry.parts(), entry.value()
        for name, text in (entry.original if originals else value).items():
            if name not in parts:
                continue
            now = parts[name].read()
            if now in (normal(entry.original[name]), *(entry.ours(name) or ())):
                parts[name].write(text)
            else:
                changed.append(_named(entry, name, now))
    return changed


def _lease(journal: Journal, active: Active, *, held: bool) -> None:
    if active.holds:
        journal.set_active(replace(active, away=not held))
        launch.start(journal.state)
    if active.committed and Path(UNIT).exists():
        launch.unit("start" if held else "stop")


def _foreign(entry: Entry) -> list[str]:
    now, wanted = present(entry), entry.value()
    return [
        _named(entry, p, text)
        for p, text in now.items()
        if text is None or normal(text) != normal(wanted.get(p, entry.original[p]))
    ]


def _named(entry: Entry, part: str, now: str | None) -> str:
    """The part, and whose line says what it reads now, where there is one."""
    found = entry.parts().get(part)
    by = whose(found.where, now) if found is not None and now is not None else ""
    return f"{entry.knob} {part}" + (f" ({now}, as in {by})" if by else "")
