"""The files of a commit: what is in them, how they are written and removed, all below a root of the test's own."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctune.errors import NotPossible
from ipctune.journal import lasting
from ipctune.journal.lasting import FILES, SYSCTL, TMPFILES, UNIT, Plan, plan_files, remove_files, tool, write_files

QLEN = {"net.unix.max_dgram_qlen": "1024"}


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_each_means_has_its_file() -> None:
    kept = {"net.unix.max_dgram_qlen": QLEN, "cpu-dma-latency": {"latency_us": "0"}}
    plan = plan_files(kept, systemd=True)
    assert set(plan.files) == {SYSCTL, UNIT}
    assert plan.files[SYSCTL].splitlines()[1:] == ["net.unix.max_dgram_qlen = 1024"]
    assert plan.missing == ()


def test_several_settings_share_a_file() -> None:
    kept = {name: {name: "65536"} for name in ("kernel.msgmax", "kernel.msgmnb")}
    assert plan_files(kept, systemd=True).files[SYSCTL].splitlines()[1:] == [
        "kernel.msgmax = 65536",
        "kernel.msgmnb = 65536",
    ]


def test_without_systemd_what_is_missing_is_said() -> None:
    kept = {"kernel.msgmax": {"kernel.msgmax": "65536"}, "cpu-dma-latency": {"latency_us": "0"}}
    plan = plan_files(kept, systemd=False)
    assert set(plan.files) == {SYSCTL}
    assert len(plan.missing) == 1
    assert "wake-up latency request" in plan.missing[0]
    assert "until revert or reboot" in plan.missing[0]


@pytest.mark.parametrize("latency", [0, 1, 100, 8191, 2_000_000_000])
def test_the_unit_writes_the_number_that_the_kernel_reads(tmp_path: Path, latency: int) -> None:
    """systemd takes one level of backslashes away, sh the other; a stand-in receives the bytes."""
    text = plan_files({"cpu-dma-latency": {"latency_us": str(latency)}}, systemd=True).files[UNIT]
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    script = command.split('-c "', 1)[1].removesuffix('"').replace("\\\\", "\\")
    script = script.replace("/dev/cpu_dma_latency", str(tmp_path / "lease")).replace("exec sleep infinity", "true")
    subprocess.run(["sh", "-c", script], check=True, timeout=20)
    assert int.from_bytes((tmp_path / "lease").read_bytes(), "little", signed=True) == latency


def test_files_are_readable_by_all_and_written_by_none_whatever_the_umask(tmp_path: Path, umask: None) -> None:
    write_files(Plan({SYSCTL: "a = 1\n", TMPFILES: "w /sys/a - - - - 1\n"}, ()), tmp_path)
    for name in (SYSCTL, TMPFILES):
        path = tmp_path / name.lstrip("/")
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert not path.parent.stat().st_mode & 0o022
    os.umask(0o077)
    write_files(Plan({SYSCTL: "a = 2\n"}, ()), tmp_path)
    assert stat.S_IMODE((tmp_path / SYSCTL.lstrip("/")).stat().st_mode) == 0o644


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "etc/sysctl.d"
    folder.mkdir(parents=True)
    for name in ("90-ipctune.conf", ".90-ipctune.conf.new"):
        (folder / name).symlink_to(victim)
    write_files(Plan({SYSCTL: "a = 1\n"}, ()), tmp_path)
    assert victim.read_text() == "mine"
    assert not (folder / "90-ipctune.conf").is_symlink()


def test_removing_takes_what_a_killed_commit_left(tmp_path: Path) -> None:
    for name in FILES:
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("nowhere")
    assert remove_files(tmp_path) == list(FILES)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
    assert remove_files(tmp_path) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/tmpfiles.d").write_text("a file where a folder belongs")
    with pytest.raises(NotPossible):
        write_files(Plan({SYSCTL: "a = 1\n", TMPFILES: "w /sys/a - - - - 1\n"}, ()), tmp_path)
    assert not (tmp_path / SYSCTL.lstrip("/")).exists()


def test_below_another_root_systemd_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: str, check: bool = True) -> bool:
        raise AssertionError("this would be the host's systemd")

    monkeypatch.setattr(lasting, "_systemctl", refuse)
    write_files(Plan({UNIT: "[Unit]\n"}, ()), tmp_path)
    assert remove_files(tmp_path) == [UNIT]


def test_the_callers_path_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sh").write_text("#!/bin/true\n")
    (tmp_path / "sh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = tool("sh")
    assert found is not None
    assert not found.startswith(str(tmp_path))
