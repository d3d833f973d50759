"""What nobody looks after any more: its tuner died, its time is up, the machine was rebooted."""

from ipctune.journal.entry import Entry, Phase
from ipctune.journal.machine import alive, boot_id
from ipctune.journal.restore import is_history
from ipctune.journal.store import Active, Journal
from ipctune.journal.watchdog import boottime

__all__ = ["finished", "is_over", "leftovers", "why_over"]


def finished(active: Active) -> bool:
    """Committed, and neither just about to be (the deadline goes last) nor being undone."""
    return active.committed and active.deadline is None and not active.tuner


def is_over(active: Active) -> bool:
    """Whether nobody carries out these orders any more: what they kept is to go back, entries or not."""
    return bool(why_over(active))


def why_over(active: Active) -> str:
    """Why, in words; empty while the orders count."""
    if finished(active):
        return ""
    if active.boot_id != boot_id():
        return "the machine was rebooted since"
    if active.tuner:
        return "" if alive(active.tuner, active.tuner_start) else "its run was killed"
    return "" if _before_deadline(active) else "its time is up"


def leftovers(journal: Journal) -> list[Entry]:
    """Entries that nobody looks after. Raises NotPossible where the orders are damaged."""
    entries, _ = journal.sound_entries()
    active = journal.active()
    return [entry for entry in entries if not _looked_after(entry, active)]


def _looked_after(entry: Entry, active: Active | None) -> bool:
    if entry.phase is Phase.COMMITTED:
        return active is not None and not is_over(active)
    if is_history(entry):
        return False
    if entry.phase is Phase.TRYING:
        return alive(entry.pid, entry.start)
    return active is not None and not is_over(active)


def _before_deadline(active: Active) -> bool:
    return (active.deadline or 0) > boottime()
