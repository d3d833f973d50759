"""`undo.sh`: it is there before the first change, knows what only the orders tell, and says where it failed."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.journal.make import journal_in, make_entry

from ipctune.journal import script
from ipctune.journal.entry import Phase
from ipctune.journal.lasting import UNIT
from ipctune.journal.machine import boot_id
from ipctune.journal.store import UNDO, Active, Hold

LEASE = Active(tuner=1, boot_id=boot_id(), holds=(Hold("cpu-dma-latency", {"latency_us": "0"}),))


def sh(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False, timeout=30)


def test_it_is_there_where_only_a_lease_is_held(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.set_active(LEASE)
    said = (journal.state.read(UNDO) or b"").decode()
    assert "end_watchdog\n" in said
    assert f"state={journal.state.path}" in said


def test_it_removes_the_files_of_a_commit_while_that_is_ours_alone(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.set_active(replace(LEASE, tuner=0, committed=True))
    assert f"rm -f -- {UNIT}" in (journal.state.read(UNDO) or b"").decode()
    journal.set_active(None)
    assert f"rm -f -- {UNIT}" not in (journal.state.read(UNDO) or b"").decode()


def test_a_file_that_can_not_be_removed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stuck" / "not empty").mkdir(parents=True)
    monkeypatch.setattr(script, "FILES", (str(tmp_path / "stuck"),))
    assert sh(script.undo_script([], boot_id(), tmp_path, committed=True)).returncode == 1


def test_a_cgroup_goes_with_the_pollers_in_it(tmp_path: Path) -> None:
    """A stand-in that can be removed once nobody is named in it."""
    with subprocess.Popen(["sleep", "60"]) as poller:
        (tmp_path / "group").mkdir()
        (tmp_path / "group/cgroup.procs").write_text(f"{poller.pid}\n")
        line = f'rmdir() {{ kill -0 {poller.pid} 2>/dev/null && return 1; rm -r "$1"; }}; remove_group {tmp_path}/group'
        text = script.undo_script([], boot_id(), tmp_path).replace("\nexit $failed", f"\n{line}\nexit $failed")
        with subprocess.Popen(["/bin/sh", "-c", text], stdout=subprocess.PIPE, text=True) as undo:
            poller.wait(30)
            said, _ = undo.communicate(timeout=30)
    assert undo.returncode == 0
    assert f"removed: {tmp_path}/group" in said


@pytest.mark.parametrize(("boot", "code"), [("an earlier one", 0), (boot_id(), 1)])
def test_a_committed_setting_that_is_gone_fails_within_its_boot_alone(tmp_path: Path, boot: str, code: int) -> None:
    text = script.undo_script([], boot, tmp_path).replace(
        "\nexit $failed", "\nrestore /proc/sys/none 1 2\nexit $failed"
    )
    done = sh(text)
    assert "is not there any more" in done.stdout
    assert done.returncode == code


def test_what_a_new_kernel_lacks_is_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(make_entry(), phase=Phase.COMMITTED, boot_id="an earlier one")
    assert "msgmax" in script.undo_script([entry], boot_id(), tmp_path)
    monkeypatch.setattr(script, "is_gone", lambda *_: True)
    assert "msgmax" not in script.undo_script([entry], boot_id(), tmp_path)
