"""A journal of the test's own beside a real machine, and the few questions that several files ask of it."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.unit.journal.make import journal_in

from ipctune.host.core import find_core
from ipctune.host.state import State
from ipctune.journal import launch
from ipctune.journal.session import revert
from ipctune.journal.store import UNDO, Journal
from ipctune.knobs.idle import LEASE_PATH

__all__ = ["PATIENCE", "SOURCE", "environment", "leases", "pid_of", "reverted", "undo", "until"]

SOURCE = Path(__file__).resolve().parents[2] / "src"
PATIENCE = 40.0
"""Seconds for anything, on a loaded machine."""


@contextmanager
def reverted(folder: Path, *paths: Path) -> Iterator[Journal]:
    """Whatever was kept is reverted at its end; then each of these settings is as it was, and no watchdog runs."""
    before = [path.read_text() for path in paths]
    journal = journal_in(folder)
    yield journal
    revert(journal)
    assert [path.read_text() for path in paths] == before
    assert launch.status(journal.state) is None


def environment(state: Path) -> dict[str, str]:
    """Ours, with these sources, the core and that state folder."""
    return os.environ | {"PYTHONPATH": str(SOURCE), "IPCTUNE_STATE": str(state), "IPCTUNE_CORE": str(find_core())}


def until(condition: Callable[[], bool]) -> bool:
    """Whether it came true; no test says how soon."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def pid_of(state: State) -> int:
    """The watchdog's."""
    running = launch.status(state)
    assert running is not None
    return running.pid


def leases(pid: int) -> int:
    """How many descriptors of the process are the lease's."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of this very listing
            found += str(entry.readlink()) == LEASE_PATH
    return found


def undo(journal: Journal) -> subprocess.CompletedProcess[str]:
    """What the script says."""
    return subprocess.run(["/bin/sh", journal.state.path / UNDO], capture_output=True, text=True, check=False)
