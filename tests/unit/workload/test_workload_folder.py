"""Data folders: the next start removes what a dead predecessor left, and nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipctune.workload import folder

_SOURCE = Path(__file__).resolve().parents[3] / "src"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def _making(tmp_path: Path) -> list[str]:
    """A command that makes a folder, prints its path and ends."""
    code = f"import sys, tempfile; sys.path.insert(0, {str(_SOURCE)!r}); tempfile.tempdir = {str(tmp_path)!r}\n"
    return [sys.executable, "-c", code + "from ipctune.workload import folder; print(folder.make('redis', None))"]


def _dead(tmp_path: Path) -> Path:
    """A folder whose owner has ended."""
    done = subprocess.run(_making(tmp_path), capture_output=True, text=True, check=True)
    made = Path(done.stdout.strip())
    assert made.is_dir()
    return made


def test_the_folder_of_a_dead_process_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    dead, living = _dead(tmp_path), folder.make("redis", None)
    folder.sweep()
    assert not dead.exists()
    assert (living / "data").is_dir()
    folder.remove(living)
    assert list(tmp_path.iterdir()) == []


def test_one_whose_process_nobody_reaped_goes(tmp_path: Path) -> None:
    with subprocess.Popen(_making(tmp_path), stdout=subprocess.PIPE, text=True) as ended:
        assert ended.stdout is not None
        made = Path(ended.stdout.read().strip())
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert made.is_dir()
        folder.sweep()
        assert not made.exists()


def test_one_whose_pid_is_somebody_elses_now_goes(tmp_path: Path) -> None:
    living = folder.make("redis", None)
    words = living.name.split("-")
    words[4] = str(int(words[4]) - 1)  # the same pid, but it started earlier
    older = living.rename(living.with_name("-".join(words)))
    folder.sweep()
    assert not older.exists()


def test_what_is_not_surely_ours_stays(tmp_path: Path) -> None:
    dead = _dead(tmp_path)
    space = dead.name.split("-")[2]
    others = [
        tmp_path / dead.name.replace(space, str(int(space) + 1)),  # another pid namespace
        tmp_path / "ipctune-redis",
        tmp_path / "ipctune-redis-1-2-3-4-5-x y",
        tmp_path / f"{dead.name}.saved",
    ]
    for other in others:
        other.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / f"{dead.name}a"
    link.symlink_to(outside)
    folder.sweep()
    assert not dead.exists()
    assert outside.is_dir()
    assert link.is_symlink()
    assert all(other.is_dir() for other in others)


def test_what_still_runs_in_it_is_ended_first(tmp_path: Path) -> None:
    dead = _dead(tmp_path)
    left = subprocess.Popen(["sleep", "1000"], cwd=dead / "data", start_new_session=True)
    beside = subprocess.Popen(["sleep", "1000"], cwd=tmp_path, start_new_session=True)
    try:
        folder.sweep()
        assert left.wait(10) == -9
        time.sleep(0.05)
        assert beside.poll() is None
    finally:
        for process in (left, beside):
            process.kill()
            process.wait()
    assert not dead.exists()


def test_a_link_inside_is_removed_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    made = folder.make("redis", None)
    (made / "data" / "link").symlink_to(precious)
    (made / "data" / "all").symlink_to(tmp_path)
    folder.remove(made)
    assert precious.read_text() == "x"
    assert os.listdir(tmp_path) == ["precious"]  # noqa: PTH208
