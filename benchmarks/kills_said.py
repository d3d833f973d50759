"""What `status`, `commit` and `keep` say after a kill, against what is so: a success that does not hold is a fail."""

from ipctune.errors import NotPossible
from ipctune.journal.commit import preview
from ipctune.journal.machine import boot_id
from ipctune.journal.session import prolong
from ipctune.journal.status import read_status
from ipctune.journal.store import Journal
from ipctune.journal.watchdog import boottime

__all__ = ["misreport", "misreported_keep"]


def misreport(journal: Journal) -> str:
    """What `status` or `commit --dry-run` would say that is not so; both look only. Empty where all is true."""
    counted = _counts(journal)
    status = read_status(journal)
    try:
        preview(journal)
        offered = True
    except NotPossible:
        offered = False
    if counted != _counts(journal):
        return ""  # the deadline came while we looked
    if status.state == "nothing" and (journal.active() is not None or journal.entries()):
        return "status says that nothing is set, and the journal knows better"
    if (status.state == "active") != counted:
        return f"status says {status.state}, and what was kept {'counts' if counted else 'does not count'}"
    if counted and not status.problems and any(s.state != "in force" for s in status.settings):
        return "status does not say that what was kept is not held"
    if offered != counted:
        return f"commit {'takes' if offered else 'refuses'} what {'counts' if counted else 'does not count'}"
    return ""


def misreported_keep(journal: Journal) -> str:
    """What `keep` says that is not so: where it succeeds, everything is in force; where it refuses, nothing is left."""
    try:
        prolong(journal, 60)
    except NotPossible as error:
        left = journal.active() is not None or journal.entries()
        return f"keep refuses ({error.what}) and leaves something" if left else ""
    status = read_status(journal)
    off = [s.knob for s in status.settings if s.state != "in force"]
    return f"keep succeeds: {status.state}, not in force: {off}" if off or status.state != "active" else ""


def _counts(journal: Journal) -> bool:
    """Whether a deadline was set that has not passed: only then there is something to keep, prolong or commit."""
    active = journal.active()
    here = active is not None and not active.tuner and active.boot_id == boot_id()
    return here and active is not None and (active.deadline or 0) > boottime()
