"""Who may be killed between two writes: the order in which entry and `undo.sh` reach the disk."""

from pathlib import Path

import pytest
from tests.unit.journal.make import journal_in, make_entry

from ipctune.host.state import State
from ipctune.journal.store import UNDO, Journal

NAME = "kernel.msgmax"
FILE = f"journal/{NAME}.json"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return journal_in(tmp_path)


@pytest.fixture
def steps(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are written and removed, as it happens."""
    seen: list[str] = []
    write, remove = State.write, State.remove

    def spy_write(self: State, name: str, data: bytes, *, mode: int = 0o600) -> None:
        seen.append(name)
        write(self, name, data, mode=mode)

    def spy_remove(self: State, name: str) -> None:
        seen.append(f"-{name}")
        remove(self, name)

    monkeypatch.setattr(State, "write", spy_write)
    monkeypatch.setattr(State, "remove", spy_remove)
    return seen


def script(journal: Journal) -> str:
    return (journal.state.read(UNDO) or b"").decode()


def test_a_record_is_opened_before_the_script_tells_of_it(journal: Journal, steps: list[str]) -> None:
    journal.open(NAME, {NAME: "8192"}, [{NAME: "65536"}])
    assert steps == [FILE, UNDO]
    assert "--any" in script(journal)


def test_the_script_learns_what_was_read_back_before_the_entry(journal: Journal, steps: list[str]) -> None:
    """Killed in between, a script that still said --any would overwrite a value of someone else."""
    entry = journal.open(NAME, {NAME: "8192"}, [{NAME: "65536"}])
    steps.clear()
    entry = journal.read_back(entry, 0, {NAME: "65536"})
    assert steps == [UNDO, FILE]
    assert "msgmax 8192 65536" in script(journal)
    assert journal.entries() == [entry]


def test_the_script_forgets_before_the_entry_goes(journal: Journal, steps: list[str]) -> None:
    entry = journal.put(make_entry())
    steps.clear()
    journal.close(entry, "test")
    assert steps == [UNDO, f"-{FILE}"]
    assert "msgmax" not in script(journal)


def test_a_second_opening_keeps_the_first_original(journal: Journal) -> None:
    journal.put(make_entry(original="8192", value="65536"))
    entry = journal.open(NAME, {NAME: "65536"}, [{NAME: "131072"}])
    assert entry.original == {NAME: "8192"}
    assert entry.values == ({NAME: "65536"}, {NAME: "131072"})
