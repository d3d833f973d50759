"""What the commands do with the journal: hold the reins while tuning, keep, prolong, revert, recover."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from ipctune.errors import IpctuneError, NotPossible
from ipctune.journal import launch
from ipctune.journal.left import finished, is_over, leftovers
from ipctune.journal.lock import locked, measuring
from ipctune.journal.machine import boot_id, start_time
from ipctune.journal.putback import Undone, complain, owns_commit, put_back
from ipctune.journal.restore import Restored, Result
from ipctune.journal.store import Active, Hold, Journal
from ipctune.journal.switched import back_on, is_aside
from ipctune.journal.watchdog import boottime
from ipctune.knobs.model import Knob, Value
from ipctune.knobs.registry import KNOBS

__all__ = ["Session", "exclusive", "guarded", "in_force", "prolong", "recover", "revert", "tuning"]


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
    with (
        measuring(journal.state, wait=wait, can_wait=True),
        locked(journal.state, wait=wait, can_wait=True),
    ):
        recovered = [] if look_only else recover(journal)
        active = journal.active()
        if active and finished(active):
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
    launch.clear_timer(journal.state)  # one that a restoring watchdog left behind would undo what is tried now
    launch.prepare(journal.state)
    journal.set_active(_tuner(session))
    try:
        launch.start(journal.state)
        yield session
    except BaseException:
        session.deadline = None  # whatever ends a run early takes everything back, also what was just handed over
        raise
    finally:
        if session.deadline is None:
            _all_back(journal, "taken back at the end")


@contextmanager
def tuning(journal: Journal, *, wait: bool = False) -> Iterator[Session]:
    """Both: hold the lock, start from the originals, and have the watchdog look on."""
    with exclusive(journal, wait=wait) as recovered, guarded(journal) as session:
        session.recovered = recovered
        yield session


def recover(journal: Journal) -> list[Restored]:
    """Restore what nobody looks after; what a killed `verify` put aside is in force again.

    Every command that writes calls this first, holding the lock.
    """
    active = journal.active()
    if leftovers(journal) or (active is not None and is_over(active)):
        return _all_back(journal, "restored by a later start")
    if active is not None and is_aside(active):
        back_on(journal, active)
    return []


def in_force(journal: Journal) -> Active:
    """What is active and not over. Raises NotPossible where nothing is."""
    active = journal.active()
    if active is None or is_over(active):
        raise NotPossible("nothing is active", hint="ipctune tune tries what helps here")
    return active


def prolong(journal: Journal, seconds: float) -> Active:
    """Move the deadline. Raises NotPossible where nothing is active or everything is committed."""
    with locked(journal.state):
        recover(journal)
        active = in_force(journal)
        if finished(active):
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
    """Values first, then orders and watchdog: whoever is killed on the way leaves someone, or a record, to go on.

    Every step is made, whatever one before it says. Raises NotPossible at the end.
    """
    undone, files = Undone(), owns_commit(journal)
    with undone.step():
        undone.outcomes += _let_go(journal)
    put_back(journal, event, undone, files=files)
    if not undone.files_left:  # else the orders must go on saying whose files they are
        with undone.step():
            journal.set_active(None)
        with undone.step():
            launch.end(journal.state)
    with undone.step():
        launch.clear_timer(journal.state)
    with undone.step():
        journal.refresh_script()
    complain(journal, undone)
    return undone.outcomes


def _let_go(journal: Journal) -> list[Restored]:
    """The orders say that we undo them; a running watchdog drops its leases, and looks on. Returns what was let go."""
    running, orders = launch.status(journal.state), _orders(journal)
    if running is None and orders is None:
        return []
    pid = os.getpid()
    begun = start_time(pid) or 0
    undoing = replace(orders or Active(), tuner=pid, tuner_start=begun, holds=(), boot_id=boot_id(), aside=0)
    with suppress(IpctuneError):  # a full disk: what follows tells
        journal.set_active(undoing)
        if running is not None:
            launch.start(journal.state)
    held = running.holds if running else ()
    return [Restored(knob, "", KNOBS[knob].title, "", None, Result.ENDED) for knob in held if knob in KNOBS]


def _orders(journal: Journal) -> Active | None:
    try:
        return journal.active()
    except IpctuneError:
        return Active(committed=True)  # damaged ones may have been of a commit
