"""Put what is kept aside for a while, and back in force: how `verify` measures both arms."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.journal import launch
from ipctune.journal.entry import Entry, Phase
from ipctune.journal.lasting import UNIT
from ipctune.journal.lock import locked
from ipctune.journal.restore import present
from ipctune.journal.session import in_force, recover
from ipctune.journal.store import Active, Journal
from ipctune.knobs.model import normal

__all__ = ["Aside", "putting_aside"]

_SPARE = 30.0  # seconds


class Aside:
    """The kept set, switched off and on. Values that someone else changed are not touched: `changed` names them."""

    def __init__(self, journal: Journal, active: Active, entries: list[Entry]) -> None:
        self._journal, self._active = journal, active
        self.kept = active.kept
        self.changed = [f"{e.knob} {p}" for e in entries for p in _foreign(e)]
        self._entries = [] if self.changed else entries
        self._off = False

    def off(self) -> None:
        """The originals are in force, leases are let go."""
        if not self._off:
            self._off = True
            self._write(originals=True)
            self._lease(held=False)

    def on(self) -> None:
        """What is kept is in force again."""
        if self._off:
            self._write(originals=False)
            self._lease(held=True)
            self._off = False

    def _write(self, *, originals: bool) -> None:
        """Switch every part that reads as one of our two values; one that someone else changed meanwhile stays."""
        for entry in self._entries:
            parts, value = entry.parts(), entry.value()
            for name, text in (entry.original if originals else value).items():
                if name not in parts:
                    continue
                if parts[name].read() in (normal(entry.original[name]), *(entry.ours(name) or ())):
                    parts[name].write(text)
                elif f"{entry.knob} {name}" not in self.changed:
                    self.changed.append(f"{entry.knob} {name}")

    def _lease(self, *, held: bool) -> None:
        if self._active.holds:
            self._journal.set_active(self._active if held else replace(self._active, holds=()))
            launch.start(self._journal.state)
        if self._active.committed and Path(UNIT).exists():
            launch.unit("start" if held else "stop")


def _lasting_or_in_force(journal: Journal) -> Active:
    """What was committed is in force after a reboot too: set anew by the files of the commit."""
    active = journal.active()
    return active if active is not None and active.committed else in_force(journal)


def _foreign(entry: Entry) -> list[str]:
    now = present(entry)
    wanted = entry.value()
    return [p for p, text in now.items() if text is None or normal(text) != normal(wanted.get(p, entry.original[p]))]


@contextmanager
def putting_aside(journal: Journal, seconds: float) -> Iterator[Aside]:
    """Hold the lock; whatever happens inside, what was kept is in force afterwards.

    Raises NotPossible where nothing is active, or where its deadline is closer than `seconds` and half a minute.
    """
    with locked(journal.state):
        recover(journal)
        active = _lasting_or_in_force(journal)
        if active.until is not None and active.until - time.time() < seconds + _SPARE:
            raise NotPossible(
                "it goes back by itself before that is measured", hint="ipctune keep --for 1h, then verify"
            )
        aside = Aside(journal, active, [e for e in journal.entries() if e.phase is not Phase.TRYING])
        try:
            yield aside
        finally:
            aside.on()
