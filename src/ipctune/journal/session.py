"""What the commands do with the journal: hold the reins while tuning, keep, prolong, revert, recover."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from ipctune.errors import IpctuneError, NotPossible
from ipctune.journal import launch
from ipctune.journal.entry import Entry, Phase
from ipctune.journal.lasting import remove_files
from ipctune.journal.lock import locked
from ipctune.journal.machine import alive, boot_id, start_time
from ipctune.journal.restore import Restored, Result, is_history
from ipctune.journal.store import UNDO, Active, Hold, Journal
from ipctune.journal.watchdog import boottime
from ipctune.knobs.model import Knob, Value
from ipctune.knobs.registry import KNOBS

__all__ = ["Session", "exclusive", "guarded", "in_force", "leftovers", "prolong", "recover", "revert", "tuning"]


@dataclass
class Session:
    """A tuner's hold on the machine: its journal, guarded by the watchdog."""

    journal: Journal
    recovered: list[Restored] = field(default_factory=list)
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    deadline: float | None = None
    until: float | None = None

    def keep(self, knob: Knob, value: Value) -> None:
        """The knob's value stays: files are in force already, a lease passes to the watchdog."""
        self.kept[knob.id] = dict(value)
        if knob.lease is not None:
            self.holds.append(Hold(knob.id, dict(value)))
            self._tell(_tuner(self))

    def hold_until(self, seconds: float, run: str) -> None:
        """From now on the deadline counts, not our life."""
        deadline, until = boottime() + seconds, time.time() + seconds
        launch.set_timer(self.journal.state, until)
        active = replace(_tuner(self), tuner=0, tuner_start=0, deadline=deadline, until=until)
        self._tell(replace(active, run=run, since=time.time()))
        self.deadline, self.until = deadline, until  # at the end: what stops us before takes everything back

    def _tell(self, active: Active) -> None:
        self.journal.set_active(active)
        launch.start(self.journal.state)


def _tuner(session: Session) -> Active:
    pid = os.getpid()
    return Active(
        tuner=pid,
        tuner_start=start_time(pid) or 0,
        holds=tuple(session.holds),
        boot_id=boot_id(),
        kept=dict(session.kept),
    )


@contextmanager
def exclusive(journal: Journal, *, wait: bool = False, look_only: bool = False) -> Iterator[list[Restored]]:
    """Hold the lock, and put back what an earlier run left or kept: a measurement starts from the originals.

    Raises NotPossible where another ipctune is at work, where something is committed, and with `look_only` where there
    is something to put back.
    """
    with locked(journal.state, wait=wait):
        recovered = [] if look_only else recover(journal)
        active = journal.active()
        if active and _finished(active):
            raise NotPossible(
                "settings are committed here already",
                hint="ipctune verify shows whether they still help; ipctune revert undoes them",
            )
        if active is None and not journal.state.names("journal"):
            yield recovered
        elif look_only:
            raise NotPossible("settings of an earlier run are in force", hint="ipctune revert puts them back first")
        else:
            yield [*recovered, *_all_back(journal, "restored before a new run")]


@contextmanager
def guarded(journal: Journal) -> Iterator[Session]:
    """Inside `exclusive`: the watchdog looks on until the end. Unless `hold_until` was called, everything is back then.

    Raises NotPossible where the watchdog can't start: nothing was changed then.
    """
    session = Session(journal)
    journal.set_active(_tuner(session))
    try:
        launch.start(journal.state)
        yield session
    finally:
        if session.deadline is None:
            _all_back(journal, "taken back at the end")


@contextmanager
def tuning(journal: Journal, *, wait: bool = False) -> Iterator[Session]:
    """Both: hold the lock, start from the originals, and have the watchdog look on."""
    with exclusive(journal, wait=wait) as recovered, guarded(journal) as session:
        session.recovered = recovered
        yield session


def leftovers(journal: Journal) -> list[Entry]:
    """Entries that nobody looks after: their tuner died, their deadline passed, or the machine was rebooted."""
    entries, _ = journal.sound_entries()
    active = journal.active()
    return [entry for entry in entries if not _looked_after(entry, active)]


def _looked_after(entry: Entry, active: Active | None) -> bool:
    if entry.phase is Phase.COMMITTED:
        return active is None or _finished(active) or _before_deadline(active)
    if is_history(entry):
        return False
    if entry.phase is Phase.TRYING:
        return alive(entry.pid, entry.start)
    return active is not None and (alive(active.tuner, active.tuner_start) or _before_deadline(active))


def _finished(active: Active) -> bool:
    """Committed, and not just about to be: the deadline goes last."""
    return active.committed and active.deadline is None


def _before_deadline(active: Active) -> bool:
    return active.boot_id == boot_id() and (active.deadline or 0) > boottime()


def recover(journal: Journal) -> list[Restored]:
    """Restore what nobody looks after. Every command that writes calls this first, holding the lock."""
    if not leftovers(journal):
        return []
    return _all_back(journal, "restored by a later start")


def in_force(journal: Journal) -> Active:
    """What is active and not over. Raises NotPossible where nothing is."""
    active = journal.active()
    if active is None or active.boot_id != boot_id():
        raise NotPossible("nothing is active", hint="ipctune tune tries what helps here")
    return active


def prolong(journal: Journal, seconds: float) -> Active:
    """Move the deadline. Raises NotPossible where nothing is active or everything is committed."""
    with locked(journal.state):
        recover(journal)
        active = in_force(journal)
        if _finished(active):
            raise NotPossible("everything is committed: it lasts", hint="ipctune revert undoes it")
        active = replace(active, deadline=boottime() + seconds, until=time.time() + seconds)
        launch.set_timer(journal.state, active.until or 0)
        journal.set_active(active)
        launch.start(journal.state)
        journal.note("prolonged", until=active.until)
        return active


def revert(journal: Journal) -> list[Restored]:
    """Back to the first original of everything, committed or not: leases end, files of a commit go, values return."""
    with locked(journal.state):
        return _all_back(journal, "reverted")


def _all_back(journal: Journal, event: str) -> list[Restored]:
    """Values first, then orders and watchdog: whoever is killed on the way leaves someone, or a record, to go on."""
    leases = _let_go(journal)
    outcomes = [*leases, *journal.restore_all(event), *_removed(remove_files())]
    journal.set_active(None)
    launch.end(journal.state)
    launch.clear_timer()
    journal.refresh_script()
    _complain(journal, outcomes)
    return outcomes


def _removed(paths: list[str]) -> list[Restored]:
    return [Restored("", "", path, "", None, Result.REMOVED) for path in paths]


def _let_go(journal: Journal) -> list[Restored]:
    """A running watchdog drops its leases, and looks on while we restore. Returns what was let go."""
    running = launch.status(journal.state)
    if running is None:
        return []
    pid = os.getpid()
    with suppress(IpctuneError):  # a full disk, damaged orders: what follows tells
        journal.set_active(
            replace(_orders(journal), tuner=pid, tuner_start=start_time(pid) or 0, holds=(), boot_id=boot_id())
        )
        launch.start(journal.state)
    return [Restored(knob, "", KNOBS[knob].title, "", None, Result.ENDED) for knob in running.holds if knob in KNOBS]


def _orders(journal: Journal) -> Active:
    with suppress(IpctuneError):
        return journal.active() or Active()
    return Active()


def _complain(journal: Journal, outcomes: list[Restored]) -> None:
    failed = [part for part in outcomes if part.result is Result.FAILED]
    if failed:
        what = "; ".join(f"{part.where or part.knob} ({part.why})" for part in failed)
        raise NotPossible(
            f"not everything could be put back: {what}",
            hint=f"the originals are safe in {journal.state.path}; see undo.sh there",
        )
    _, damaged = journal.sound_entries()
    if damaged:
        raise NotPossible(
            f"{damaged[0].what}; whatever else was recorded is back",
            hint=f"sh {journal.state.path / UNDO} restores what it knew; look at the entry, then remove it",
        )
