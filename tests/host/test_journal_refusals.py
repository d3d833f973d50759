"""Full disks, read-only places, missing rights, values that the kernel refuses or rounds: said before they matter.

Mounts are made in a mount namespace of their own, by a script that ends there.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.host.journaled import environment
from tests.unit.journal.make import journal_in

from ipctune.errors import NotPossible
from ipctune.host.state import open_state
from ipctune.journal import restore as restoring
from ipctune.journal.change import Change, Interference
from ipctune.journal.restore import Result
from ipctune.journal.session import revert
from ipctune.journal.store import Journal
from ipctune.knobs.files import FilePart
from ipctune.knobs.registry import KNOBS

KNOB = KNOBS["net.core.rmem_max"]
PATH = Path("/proc/sys/net/core/rmem_max")
PIPE = KNOBS["fs.pipe-max-size"]
PIPE_PATH = Path("/proc/sys/fs/pipe-max-size")
_TRY = """
import sys
from ipctune.errors import IpctuneError
from ipctune.journal.change import Change
from ipctune.journal.session import revert, tuning
from ipctune.journal.store import open_journal
from ipctune.knobs.registry import KNOBS
from pathlib import Path
knob, path = KNOBS["net.core.rmem_max"], Path("/proc/sys/net/core/rmem_max")
def sh(command):
    import subprocess
    subprocess.run(["/bin/sh", "-ec", command], check=True)
before = path.read_text()
value = {knob.id: str(int(before) * 2)}
try:
"""
_SAY = """
except IpctuneError as error:
    print("refused:", error.what, "|", error.hint)
print("left:" if path.read_text() != before else "original")
path.read_text() == before or path.write_text(before)
"""


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = PATH.read_text()
    yield
    assert PATH.read_text() == before


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return journal_in(tmp_path)


def run(steps: str, state: Path, *before: str) -> str:
    """Run the steps in a mount namespace of their own; what was said. `before` goes before the interpreter."""
    body = "".join(f"    {line}\n" for line in steps.strip().splitlines())
    done = subprocess.run(
        ["unshare", "-m", *before, sys.executable, "-c", _TRY + body + _SAY],
        env=environment(state),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_full_disk_is_refused_before_the_first_write(tmp_path: Path) -> None:
    steps = f"""
sh("mount -t tmpfs -o size=64k,mode=700 none {tmp_path}; mkdir -m 700 {tmp_path}/s")
sh("cat /dev/zero >{tmp_path}/fill 2>/dev/null || true")
with tuning(open_journal()), Change(open_journal(), knob, [value]) as change:
    change.set(0)
    print("was set")
"""
    said = run(steps, tmp_path / "s")
    assert "refused:" in said
    assert "No space left" in said
    assert "was set" not in said
    assert "original" in said


def test_a_disk_that_fills_up_later_keeps_nothing_from_its_original(tmp_path: Path) -> None:
    steps = f"""
sh("mount -t tmpfs -o size=8m,mode=700 none {tmp_path}; mkdir -m 700 {tmp_path}/s")
journal = open_journal()
other, second = Path("/proc/sys/net/core/wmem_max"), KNOBS["net.core.wmem_max"]
was = other.read_text()
with Change(journal, knob, [value]) as one, Change(journal, second, [{{second.id: str(int(was) * 2)}}]) as two:
    one.keep(0)
    two.keep(0)
sh("cat /dev/zero >{tmp_path}/fill 2>/dev/null || true")
try:
    revert(journal)
finally:
    print("both back" if (path.read_text(), other.read_text()) == (before, was) else "not back")
    other.write_text(was)
"""
    said = run(steps, tmp_path / "s")
    assert "both back" in said
    assert "refused: restored, but not written down" in said


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_read_only_state_folder(tmp_path: Path, when: str) -> None:
    """Before: refused. After the change: it is put back all the same, and what can't be written is said."""
    mount = f'sh("mount -o remount,ro {tmp_path}")'
    set_it = "with Change(open_journal(), knob, [value]) as change:\n    change.keep(0)"
    steps = f"""
sh("mount -t tmpfs -o size=8m,mode=700 none {tmp_path}; mkdir -m 700 {tmp_path}/s; : >{tmp_path}/s/lock")
{mount if when == "before" else set_it}
{set_it if when == "before" else mount}
{"print('was set')" if when == "before" else "revert(open_journal())"}
"""
    said = run(steps, tmp_path / "s")
    assert "refused:" in said
    assert "Read-only file system" in said
    assert "was set" not in said
    assert "original" in said


def test_read_only_proc_sys_is_refused_and_nothing_is_left_open(tmp_path: Path) -> None:
    steps = """
sh("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
try:
    with Change(open_journal(), knob, [value]) as change:
        change.set(0)
finally:
    print("open:", len(open_journal().entries()))
"""
    said = run(steps, tmp_path / "state")
    assert "EROFS" in said
    assert "read-only here, as in most containers" in said
    assert "open: 0" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming someone else takes root")
def test_without_rights_it_is_refused() -> None:
    hear, tell = os.pipe()
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is for root alone
        os.chown(folder, 65534, 65534)
        pid = os.fork()
        if not pid:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(tell, _refusal_in(Path(folder, "state")).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        said = os.read(hear, 4096).decode()
    os.close(hear)
    os.close(tell)
    assert "EACCES" in said
    assert "this needs root" in said


def _refusal_in(folder: Path) -> str:
    state = open_state(folder)
    assert state is not None
    try:
        with Change(Journal(state), KNOB, [{KNOB.id: "777777"}]) as change:
            change.set(0)
    except NotPossible as error:
        return f"{error.what}; {error.hint}"
    return "it was set"


def test_a_value_that_the_kernel_finds_wrong_is_refused(journal: Journal) -> None:
    with pytest.raises(NotPossible, match="EINVAL"), Change(journal, KNOB, [{KNOB.id: "1"}, {KNOB.id: "x"}]) as change:
        change.set(1)
    assert journal.entries() == []


def test_a_value_that_the_kernel_rounds_is_reported_and_counts_as_ours(journal: Journal) -> None:
    before = PIPE_PATH.read_text().strip()
    asked = str(int(before) + 1)
    with Change(journal, PIPE, [{PIPE.id: asked}]) as change:
        change.set(0)
        assert change.rounded == {PIPE.id: str(int(before) * 2)}
        change.unset()
        change.keep(0)
    (part,) = revert(journal)
    assert part.result is Result.RESTORED
    assert part.now == before


def test_a_value_that_is_taken_and_not_used_is_refused(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FilePart, "write", lambda *_: None)
    with pytest.raises(NotPossible, match="still reads"), Change(journal, KNOB, [{KNOB.id: "777777"}]) as change:
        change.set(0)


def test_what_someone_else_sets_meanwhile_is_left_alone(journal: Journal) -> None:
    before = PATH.read_text()
    theirs = str(int(before) * 4)
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Interference, match=theirs))
        change = stack.enter_context(Change(journal, KNOB, [{KNOB.id: str(int(before) * 2)}]))
        change.set(0)
        PATH.write_text(theirs)
        change.unset()
    (part,) = revert(journal)
    now = PATH.read_text().strip()
    PATH.write_text(before)
    assert part.result is Result.CHANGED
    assert now == theirs


@pytest.mark.parametrize("what", ["boot_id", "namespaces"])
def test_an_entry_of_another_boot_or_namespace_is_history(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    msgmax = KNOBS["kernel.msgmax"]
    path = Path("/proc/sys/kernel/msgmax")
    before = path.read_text()
    with Change(journal, msgmax, [{msgmax.id: str(int(before) * 2)}]) as change:
        change.keep(0)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(restoring, what, {"boot_id": lambda: "another", "namespaces": lambda: {"ipc": 1}}[what])
        (part,) = journal.restore_all("test")
    now = path.read_text()
    path.write_text(before)
    assert part.result is Result.HISTORY
    assert now != before, "nothing was written"


def test_a_damaged_entry_is_named_and_the_sound_ones_are_restored(journal: Journal) -> None:
    before = PATH.read_text()
    with Change(journal, KNOB, [{KNOB.id: str(int(before) * 2)}]) as change:
        change.keep(0)
    journal.state.write("journal/fs.pipe-max-size.json", b'{"knob": "fs.pipe-max')
    with pytest.raises(NotPossible, match=r"fs\.pipe-max-size\.json") as error:
        revert(journal)
    assert PATH.read_text() == before
    assert "undo.sh" in error.value.hint
