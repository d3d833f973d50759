"""Whose line sets what a setting reads now: named where there is one, and nobody blamed where there is none."""

from pathlib import Path

import pytest

from ipctune.journal.bootorder import whose
from ipctune.journal.lasting import SYSCTL

PIPE = "/proc/sys/fs/pipe-max-size"
LATENCY = "/sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us"
PROFILE = "[sysctl]\nfs.pipe-max-size=77\n[sysfs]\n/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us=9\n"


def put(root: Path, name: str, text: str) -> None:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "where", "line"),
    [
        ("/etc/sysctl.d/99-x.conf", "# theirs\nfs.pipe-max-size = 77\n", PIPE, 2),
        ("/etc/sysctl.conf", "fs/pipe-max-size=77\n", PIPE, 1),
        ("/usr/lib/tmpfiles.d/x.conf", f"w {LATENCY} - - - - 77\n", LATENCY, 1),
        ("/etc/tmpfiles.d/x.conf", f"w {PIPE} - - - - 77\n", PIPE, 1),
    ],
)
def test_the_file_and_line_are_named(tmp_path: Path, name: str, text: str, where: str, line: int) -> None:
    put(tmp_path, name, text)
    assert whose(where, "77", tmp_path) == f"{name}, line {line}"
    assert whose(where, "78", tmp_path) == ""
    assert whose("/proc/sys/kernel/msgmax", "77", tmp_path) == ""


def test_an_active_profile_of_tuned_is_named(tmp_path: Path) -> None:
    put(tmp_path, "etc/tuned/active_profile", "theirs\n")
    put(tmp_path, "etc/tuned/theirs/tuned.conf", PROFILE)
    assert whose(PIPE, "77", tmp_path) == "/etc/tuned/theirs/tuned.conf (tuned, active), line 2"
    assert whose(LATENCY, "9", tmp_path) == "/etc/tuned/theirs/tuned.conf (tuned, active), line 4"


def test_our_own_file_is_nobody_else(tmp_path: Path) -> None:
    put(tmp_path, SYSCTL, "fs.pipe-max-size = 77\n")
    assert whose(PIPE, "77", tmp_path) == ""
