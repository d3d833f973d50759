"""Make what is active last, or refuse and say who would undo it at boot."""

import time
from dataclasses import dataclass, replace

from ipctune.errors import NotPossible
from ipctune.journal import launch
from ipctune.journal.bootorder import Conflict, conflicts
from ipctune.journal.entry import Phase
from ipctune.journal.lasting import UNIT, Plan, files_there, plan_files, write_files
from ipctune.journal.lock import locked
from ipctune.journal.session import in_force, recover
from ipctune.journal.store import Active, Journal
from ipctune.journal.watchdog import boottime
from ipctune.knobs.model import Lasting
from ipctune.knobs.registry import KNOBS

__all__ = ["Preview", "commit", "preview"]

_ROOM = 20.0  # seconds: the deadline must not fall into the writing, nor a commit that was killed stay for long


@dataclass(frozen=True, slots=True)
class Preview:
    """What a commit would write, what it can't make last, and who would win over it."""

    plan: Plan
    conflicts: tuple[Conflict, ...]
    kept: dict[str, dict[str, str]]


def preview(journal: Journal) -> Preview:
    """Look only. Raises NotPossible where nothing is active, or where it is committed already.

    A commit that was killed half-way still has its deadline: it can be done again.
    """
    active = in_force(journal)
    if active.committed and active.deadline is None:
        raise NotPossible("everything is committed already", hint="ipctune revert undoes it")
    _refuse_others(active)
    plan = plan_files(active.kept, systemd=launch.systemd())
    return Preview(plan, tuple(conflicts(plan)), active.kept)


def _refuse_others(active: Active) -> None:
    """Raises NotPossible where something of another process is kept: no file of this machine may set it at boot."""
    for name, value in active.kept.items():
        lasts = KNOBS[name].elsewhere
        if lasts is not None:
            raise NotPossible(
                f"{KNOBS[name].title} can't be committed: {lasts(value)}",
                hint="what is active stays until its deadline; `ipctune keep --for 24h` moves it",
            )


def commit(journal: Journal, shown: Preview | None = None) -> Preview:
    """Write the files, end the deadline. `shown`: what the user agreed to.

    Raises NotPossible, naming file and line, where our value would lose; and where what was shown is not what
    would be written now.
    """
    with locked(journal.state):
        recover(journal)
        found = preview(journal)
        if shown is not None and found != shown:
            raise NotPossible("something changed while you looked", hint="ipctune commit shows it again")
        if found.conflicts:
            raise NotPossible(
                "would not last: " + "; ".join(map(str, found.conflicts)),
                hint="change or remove that line first; what is active stays as it is",
            )
        active = _with_time_left(journal, in_force(journal))
        # First the word, then the files: whoever reverts from here on removes them, killed or not.
        journal.set_active(replace(active, committed=True))
        for entry in journal.entries():
            journal.put(replace(entry, phase=Phase.COMMITTED))
        journal.refresh_script()
        try:
            write_files(found.plan)
        except NotPossible:
            if files_there():  # not all of them could be removed: the word stays, so that revert goes on
                raise
            for entry in journal.entries():
                journal.put(replace(entry, phase=Phase.KEPT))
            journal.set_active(replace(active, committed=False))
            journal.refresh_script()
            raise
        _hand_over(journal, active, found.plan)
        journal.note("committed", kept=active.kept, files=sorted(found.plan.files))
        return found


def _with_time_left(journal: Journal, active: Active) -> Active:
    """Move a deadline that is near: PID 1's timer asks nobody, and would undo what is being written.

    The watchdog finds the lock taken, then other orders than it knew, and reads them.
    """
    if active.deadline is None or active.deadline - boottime() > _ROOM:
        return active
    later = replace(active, deadline=boottime() + _ROOM, until=time.time() + _ROOM)
    launch.set_timer(journal.state, later.until or 0.0)
    return later


def _hand_over(journal: Journal, active: Active, plan: Plan) -> None:
    """The deadline goes; leases that a unit holds now leave the watchdog, which ends when it holds nothing."""
    by_unit = {h.knob for h in active.holds if UNIT in plan.files and KNOBS[h.knob].lasting is Lasting.UNIT}
    holds = tuple(hold for hold in active.holds if hold.knob not in by_unit)
    # The timer first: one that outlived the word would take a finished commit back.
    launch.clear_timer(journal.state)
    journal.set_active(replace(active, committed=True, deadline=None, until=None, holds=holds))
    if holds:
        launch.start(journal.state)
    else:
        launch.end(journal.state)
