"""A machine that is made of numbers, and a state folder of this test's own."""

from pathlib import Path

import pytest
from tests.unit.tune.machine import Machine

from ipctune.journal.store import Journal, open_journal


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("IPCTUNE_STATE", str(tmp_path / "state"))
    made = open_journal()
    assert made is not None
    return made
