"""Everything back: values, then the files of this journal's own commit. What goes wrong with one stops no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ipctune.errors import IpctuneError, NotPossible
from ipctune.journal.entry import Phase
from ipctune.journal.lasting import remove_files
from ipctune.journal.restore import Restored, Result
from ipctune.journal.store import UNDO, Journal, NotWrittenDown

__all__ = ["Undone", "complain", "owns_commit", "put_back"]


@dataclass
class Undone:
    """What became of each thing, and what went wrong on the way; `files_left`: the commit's files are still there."""

    outcomes: list[Restored] = field(default_factory=list)
    errors: list[IpctuneError] = field(default_factory=list)
    files_left: bool = False

    @contextmanager
    def step(self) -> Iterator[None]:
        """A step whose failure is remembered and stops nothing."""
        try:
            yield
        except IpctuneError as error:
            self.errors.append(error)


def owns_commit(journal: Journal) -> bool:
    """Whether the files of a commit may be this journal's: another state folder's are not ours to remove.

    Damaged orders count as ours: they may have been of a commit.
    """
    try:
        active = journal.active()
    except IpctuneError:
        return True
    committed = any(entry.phase is Phase.COMMITTED for entry in journal.sound_entries()[0])
    return committed or (active is not None and active.committed)


def put_back(journal: Journal, event: str, undone: Undone, *, files: bool) -> None:
    """Restore every value; with `files` (`owns_commit`, asked before the orders were touched) remove the commit's."""
    try:
        undone.outcomes += journal.restore_all(event)
    except NotWrittenDown as error:
        undone.outcomes += error.outcomes
        undone.errors.append(error)
    if files:
        try:
            undone.outcomes += [Restored("", "", path, "", None, Result.REMOVED) for path in remove_files()]
        except NotPossible as error:
            undone.files_left = True
            undone.errors.append(error)


def complain(journal: Journal, undone: Undone) -> None:
    """Raise NotPossible with everything that went wrong, the worst first; nothing where nothing did."""
    said = [*_failed(journal, undone.outcomes), *undone.errors, *_damaged(journal)]
    if said:
        raise NotPossible("; ".join(error.what for error in said), hint=said[0].hint)


def _failed(journal: Journal, outcomes: list[Restored]) -> list[IpctuneError]:
    failed = [part for part in outcomes if part.result is Result.FAILED]
    if not failed:
        return []
    what = "; ".join(f"{part.where or part.knob} ({part.why})" for part in failed)
    hint = f"the originals are safe in {journal.state.path}; see undo.sh there"
    return [NotPossible(f"not everything could be put back: {what}", hint=hint)]


def _damaged(journal: Journal) -> list[IpctuneError]:
    _, damaged = journal.sound_entries()
    hint = f"sh {journal.state.path / UNDO} restores what it knew; look at the entry, then remove it"
    return [NotPossible(f"{e.what}; whatever else was recorded is back", hint=hint) for e in damaged[:1]]
