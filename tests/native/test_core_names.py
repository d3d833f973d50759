"""FIFOs and sockets with a path: a private folder, and nothing of it left, whoever is killed and whenever."""

import os
import signal
import time
from pathlib import Path

import pytest
from tests.native.core import IN_FILES, Core, wait_for

pytestmark = pytest.mark.parametrize("mechanism", IN_FILES)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TMPDIR of the core, empty."""
    made = tmp_path / "tmp"
    made.mkdir()
    monkeypatch.setenv("TMPDIR", str(made))
    return made


@pytest.mark.parametrize("delay_us", range(0, 12_000, 400))
@pytest.mark.parametrize("namespace", ["private", "present"])
def test_the_supervisor_is_killed_early(
    core: Core, folder: Path, mechanism: str, namespace: str, delay_us: int
) -> None:
    process = core.start(mechanism, "--ipc-namespace", namespace)
    time.sleep(delay_us / 1e6)
    process.kill()
    process.communicate(timeout=20)
    assert wait_for(lambda: core.processes() == [])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("turn", range(10))
def test_the_supervisor_is_killed_as_soon_as_a_name_is_seen(
    core: Core, folder: Path, mechanism: str, turn: int
) -> None:
    process = core.start(mechanism, "--seed", str(turn))
    end = time.monotonic() + 0.05  # the moment may be missed: then it is killed as it runs
    while not any(folder.iterdir()) and time.monotonic() < end:
        pass
    process.kill()
    process.communicate(timeout=20)
    assert wait_for(lambda: core.processes() == [])
    assert list(folder.iterdir()) == []


def test_nothing_is_there_while_it_runs(core: Core, folder: Path, mechanism: str) -> None:
    process = core.start(mechanism)
    try:
        assert wait_for(lambda: len(core.processes()) == 3)
        assert wait_for(lambda: list(folder.iterdir()) == [])
        time.sleep(0.05)
        assert len(core.processes()) == 3  # it runs, and the guard has gone
        assert list(folder.iterdir()) == []
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


def test_a_folder_that_cannot_be_written(core: Core, folder: Path, mechanism: str) -> None:
    answer = core.run(mechanism, TMPDIR=str(folder / "absent"))
    assert (answer.status, answer.error["call"], answer.error["name"]) == (3, "mkdir", "ENOENT")


def test_a_name_that_is_too_long(core: Core, folder: Path, mechanism: str) -> None:
    answer = core.run(mechanism, TMPDIR=str(folder) + "/" * 300)
    assert (answer.status, answer.error["name"]) == (3, "ENAMETOOLONG")
    assert list(folder.iterdir()) == []
