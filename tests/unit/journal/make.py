"""A journal in a folder of its own, and an entry that looks like a real one."""

from pathlib import Path

from ipctune.host.state import State, open_state
from ipctune.journal.entry import Entry, Phase
from ipctune.journal.machine import boot_id, namespaces
from ipctune.journal.store import Journal

__all__ = ["journal_in", "make_entry", "state_in"]


def state_in(folder: Path) -> State:
    """A state folder below `folder`."""
    state = open_state(folder / "state")
    assert state is not None
    return state


def journal_in(folder: Path) -> Journal:
    """A journal in that state folder."""
    return Journal(state_in(folder))


def make_entry(
    knob: str = "kernel.msgmax", original: str = "8192", value: str = "65536", *, read: bool = True
) -> Entry:
    """An entry of this boot and these namespaces, for a knob whose one part has the knob's name."""
    return Entry(
        knob=knob,
        original={knob: original},
        values=({knob: value},),
        readbacks=({knob: value} if read else None,),
        phase=Phase.TRYING,
        boot_id=boot_id(),
        namespaces=namespaces(),
        pid=1,
        start=1,
        since=1.0,
    )
