"""The state folder is ours alone: symlinks, foreign owners and folders that others can swap are refused."""

import os
import tempfile
from pathlib import Path

import pytest
from tests.unit.journal.make import journal_in, state_in

from ipctune.errors import NotPossible
from ipctune.host.state import open_state
from ipctune.journal.lock import MEASURING, holder, locked, measuring
from ipctune.journal.session import exclusive

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners takes root")


def test_the_folder_is_0700_and_files_are_0600(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.write("journal/a.json", b"x")
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert (state.path / "journal").stat().st_mode & 0o777 == 0o700
    assert (state.path / "journal/a.json").stat().st_mode & 0o777 == 0o600


def test_a_symlink_as_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(NotPossible, match="can't be used"):
        open_state(tmp_path / "link")


def test_a_file_as_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotPossible, match="can't be used"):
        open_state(tmp_path / "file")


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(NotPossible, match="others can write it"):
        open_state(tmp_path / "open")


def test_a_folder_that_others_can_swap_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(NotPossible, match="others can replace it"):
        open_state(tmp_path / "state")
    tmp_path.chmod(0o700)


@needs_root
@pytest.mark.parametrize("name", ["", "journal", "journal/a.json", "active.json"])
def test_what_belongs_to_someone_else_is_refused(tmp_path: Path, name: str) -> None:
    state = state_in(tmp_path)
    state.write("journal/a.json", b"x")
    state.write("active.json", b"x")
    os.chown(state.path / name, 65534, 65534)
    with pytest.raises(NotPossible, match="belongs to uid 65534"):
        _look_at_everything(tmp_path)


@pytest.mark.parametrize("name", ["journal", "journal/a.json", "active.json"])
def test_symlinks_inside_are_refused(tmp_path: Path, name: str) -> None:
    state = state_in(tmp_path)
    state.write("journal/a.json", b"x")
    state.write("active.json", b"x")
    (state.path / name).rename(tmp_path / "away")
    (state.path / name).symlink_to(tmp_path / "away")
    with pytest.raises(NotPossible, match="can't be used"):
        _look_at_everything(tmp_path)


def _look_at_everything(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.state.read("active.json")
    for name in journal.state.names("journal"):
        journal.state.read(name)


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.write("active.json", b"x")
    (state.path / "active.json").chmod(0o666)
    with pytest.raises(NotPossible, match="others can write it"):
        state.read("active.json")


def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    os.mkfifo(state.path / "active.json", 0o600)
    with pytest.raises(NotPossible, match="not what we put there"):
        state.read("active.json")


@pytest.mark.parametrize("name", ["../x", "a/b/c", "/etc/passwd", "", ".", "a/..", "a//b"])
def test_names_can_not_leave_the_folder(tmp_path: Path, name: str) -> None:
    state = state_in(tmp_path)
    for use in (state.read, state.remove):
        with pytest.raises(ValueError, match="not a name"):
            use(name)


def test_a_write_replaces_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = state_in(tmp_path)
    state.write("journal/a.json", b"first")
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(NotPossible, match="No space left"):
        state.write("journal/a.json", b"second")
    assert state.read("journal/a.json") == b"first"
    assert os.listdir(state.path / "journal") == ["a.json"]  # noqa: PTH208 - hidden ones too


def _no_space(_fd: int) -> None:
    raise OSError(28, "No space left on device")


def test_unfinished_files_are_no_entries(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.write("journal/a.json", b"x")
    (state.path / "journal/.b.json.17.new").write_bytes(b"half")
    assert state.names("journal") == ["journal/a.json"]


def test_the_second_who_takes_the_lock_hears_the_pid_of_the_first(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    assert holder(state) is None
    with locked(state):
        assert holder(state) == os.getpid()
        with pytest.raises(NotPossible, match=f"pid {os.getpid()}") as error, locked(state):
            pass
    assert error.value.exit_code == 3
    with locked(state):
        pass


def test_whoever_measures_holds_up_nobody_who_sets(tmp_path: Path) -> None:
    """A deadline, `revert` and `keep` need not wait for a `bench`."""
    state = state_in(tmp_path)
    with measuring(state), locked(state):
        assert holder(state, MEASURING) == os.getpid()


def test_two_measurements_are_refused_and_the_hint_names_what_there_is(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    with measuring(journal.state):
        with pytest.raises(NotPossible, match=f"pid {os.getpid()}") as bench, measuring(journal.state):
            pass
        with pytest.raises(NotPossible, match=f"pid {os.getpid()}") as tune, exclusive(journal):
            pass
    assert f"kill {os.getpid()}" in bench.value.hint
    assert "--wait" not in bench.value.hint
    assert "--wait" in tune.value.hint


def as_nobody(folder: Path, umask: int) -> str:
    """What opening the state folder says to a user who is not root."""
    hear, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.umask(umask)
        if os.geteuid() == 0:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        try:
            open_state(folder)
        except NotPossible as error:
            os.write(tell, error.what.encode())
        os._exit(0)
    os.close(tell)
    os.waitpid(pid, 0)
    with os.fdopen(hear) as said:
        return said.read()


def test_a_users_umask_of_002_is_no_obstacle() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own is for root alone
        home = Path(name)
        os.chmod(home, 0o775)  # noqa: PTH101
        if os.geteuid() == 0:
            os.chown(home, 65534, 65534)
        assert as_nobody(home / ".local/state/ipctune", 0o002) == ""
        assert (home / ".local/state").stat().st_mode & 0o777 == 0o755
        (home / ".local").chmod(0o777)
        assert "others can replace it" in as_nobody(home / ".local/state/ipctune", 0o002)


@needs_root
def test_roots_folder_lies_below_no_group_writable_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    with pytest.raises(NotPossible, match="others can replace it"):
        open_state(tmp_path / "state")
    tmp_path.chmod(0o700)


def test_without_a_home_folder_looking_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("IPCTUNE_STATE", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "home", no_home)
    assert open_state(create=False) is None
    with pytest.raises(NotPossible, match="no home folder") as error:
        open_state()
    assert "IPCTUNE_STATE" in error.value.hint
