"""What is set now, as a value: looked at, never changed."""

from dataclasses import dataclass

from ipctune.errors import IpctuneError
from ipctune.host.polltime import poll_us
from ipctune.host.state import hidden_state
from ipctune.journal import launch
from ipctune.journal.bootorder import whose
from ipctune.journal.entry import Entry, Phase
from ipctune.journal.lasting import plan_files
from ipctune.journal.left import finished, is_over, leftovers, why_over
from ipctune.journal.lock import MEASURING, holder
from ipctune.journal.machine import alive, boot_id
from ipctune.journal.restore import is_history, present
from ipctune.journal.store import UNDO, Active, Journal
from ipctune.journal.switched import is_aside
from ipctune.journal.watchdog import boottime
from ipctune.knobs.model import is_gone, normal
from ipctune.knobs.registry import KNOBS

__all__ = ["SettingStatus", "Status", "read_status"]


@dataclass(frozen=True, slots=True)
class SettingStatus:
    """One part of a knob: what it was, what we set, what it reads now, and since when (s since the epoch)."""

    knob: str
    title: str
    part: str
    was: str
    wanted: str
    now: str | None
    since: float
    phase: str
    state: str  # in force | changed by someone else | the original | left behind | gone … | of an earlier boot
    by: str = ""  # whose line sets what it reads now, where someone else changed it


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `ipctune status` knows. `polling_vcpus` is the price over the last minute or two.

    `measuring` is the pid of whoever measures, `hidden` root's state folder where it is not ours to read.
    """

    state: str  # nothing | trying | active | committed | left behind
    folder: str
    undo: str
    run: str
    until: float | None
    seconds_left: float | None
    tuner: int | None
    settings: tuple[SettingStatus, ...]
    left_behind: int
    watchdog_pid: int | None
    watchdog_bytes: int | None
    watchdog_unit: bool
    polling_vcpus: float | None
    problems: tuple[str, ...]
    not_lasting: tuple[str, ...] = ()
    why_left: str = ""  # why nobody looks after it any more
    measuring: int | None = None
    hidden: str = ""


def read_status(journal: Journal | None) -> Status:
    """Look at the journal and at the machine. None: there is no state folder, so nothing is set."""
    if journal is None:
        return Status(
            "nothing", "", "", "", None, None, None, (), 0, None, None, False, None, (), hidden=hidden_state()
        )
    entries, damaged = journal.sound_entries()
    problems = [error.what for error in damaged]
    try:
        active, behind = journal.active(), leftovers(journal)
    except IpctuneError as error:
        problems.append(error.what)
        active, behind = None, entries
    running = launch.status(journal.state)
    if _unguarded(entries, active, running):
        problems.append("its watchdog was killed, so nobody takes it back: `ipctune keep` starts another one")
    if active is not None and is_aside(active):
        problems.append("a verify was killed while what is set was aside: `ipctune verify` puts it back in force")
    left = None
    if active is not None and active.deadline is not None and active.boot_id == boot_id():
        left = max(0.0, active.deadline - boottime())
    return Status(
        state=_word(entries, active, behind),
        folder=str(journal.state.path),
        undo=str(journal.state.path / UNDO),
        run=active.run if active else "",
        until=active.until if active else None,
        seconds_left=left,
        tuner=active.tuner if active and alive(active.tuner, active.tuner_start) else None,
        settings=(*(s for e in entries for s in _settings(e, e in behind)), *_leases(active, running)),
        left_behind=len(behind),
        watchdog_pid=running.pid if running else None,
        watchdog_bytes=running.resident_bytes() if running else None,
        watchdog_unit=launch.systemd(),
        polling_vcpus=_polling(running),
        problems=tuple(problems),
        why_left=_why_left(active, running),
        measuring=holder(journal.state, MEASURING),
        hidden=hidden_state(),
        not_lasting=plan_files(active.kept, systemd=launch.systemd()).missing if active and active.committed else (),
    )


def _word(entries: list[Entry], active: Active | None, behind: list[Entry]) -> str:
    if active is not None and finished(active):
        return "committed"
    if active is not None and alive(active.tuner, active.tuner_start):
        return "trying"
    if active is not None and active.kept and not behind and not is_over(active):
        return "active"
    return "left behind" if entries or active is not None else "nothing"


def _why_left(active: Active | None, running: launch.Watchdog | None) -> str:
    """In words for the headline; empty where the orders count still, or nothing is known."""
    why = why_over(active) if active is not None else ""
    if why and running is not None:
        return f"{why}; the watchdog (pid {running.pid}) is about to put it back"
    return why


def _unguarded(entries: list[Entry], active: Active | None, running: launch.Watchdog | None) -> bool:
    """Whether a deadline was set, and what was to keep it is gone (PID 1 keeps it where systemd runs)."""
    counts = active is not None and not active.committed and not active.tuner and not is_over(active)
    waits = counts and active is not None and bool(entries or active.holds)
    return waits and running is None and not launch.systemd()


def _settings(entry: Entry, behind: bool) -> list[SettingStatus]:
    now = present(entry)
    value = entry.value()
    return [
        SettingStatus(
            entry.knob,
            KNOBS[entry.knob].title,
            part,
            was,
            value.get(part, ""),
            now[part],
            entry.since,
            entry.phase.value,
            word := _state(entry, part, now[part], behind),
            _by(entry, part, now[part]) if word == "changed by someone else" else "",
        )
        for part, was in entry.original.items()
    ]


def _by(entry: Entry, part: str, now: str | None) -> str:
    found = entry.parts().get(part)
    return whose(found.where, now) if found is not None and now is not None else ""


def _state(entry: Entry, part: str, now: str | None, behind: bool) -> str:
    if is_history(entry):
        return "of an earlier boot"
    if now is None:
        return "gone with its process" if is_gone(entry.parts().get(part)) else "can't be read"
    if normal(now) == normal(entry.original[part]):
        return "the original"
    ours = entry.ours(part)
    if ours is not None and normal(now) not in ours:
        return "changed by someone else"
    return "left behind" if behind else "in force"


def _leases(active: Active | None, running: launch.Watchdog | None) -> list[SettingStatus]:
    """Kept leases: the watchdog (or a unit) holds them, so they have no entry."""
    if active is None:
        return []
    found = []
    for knob, value in active.kept.items():
        if KNOBS[knob].lease is None:
            continue
        held = (running is not None and knob in running.holds) or (active.committed and launch.unit_active())
        phase = Phase.COMMITTED if active.committed else Phase.KEPT
        for part, text in value.items():
            state = "in force" if held else "not held any more"
            now = text if held else "none"
            found.append(
                SettingStatus(knob, KNOBS[knob].title, part, "none", text, now, active.since, phase.value, state)
            )
    return found


def _polling(running: launch.Watchdog | None) -> float | None:
    """Polling over the last minute or two, from the watchdog's sample and a look now."""
    now = poll_us()
    if running is None or not running.polled or now is None:
        return None
    when, polled = running.polled[0]
    took = boottime() - when
    return (now - polled) * 1e-6 / took if took > 1 else None
