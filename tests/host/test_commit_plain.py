"""`commit` on this kernel without systemd: what lasts is written, what can't is said, the holder goes on.

In mount, network and IPC namespaces of its own, with a copy of /etc, so that nothing of the machine's is touched;
a plain file stands for /dev/cpu_dma_latency, which would make every vCPU of the machine poll.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.host.journaled import environment

_TESTS = Path(__file__).parent
_MSGMAX = "kernel.msgmax=kernel.msgmax=131072"
_LEASE = "cpu-dma-latency=latency_us=0"
_PROGRAM = f"{sys.executable} -m ipctune"
_PID = "sed 's/.*\"pid\": \\([0-9]*\\).*/\\1/' $IPCTUNE_STATE/watchdog.json"
_HELD = f"readlink /proc/$({_PID})/fd/* | grep -c cpu_dma_latency"

Inside = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    """Runs a line of sh in fresh namespaces that look like a machine without systemd."""
    shutil.copytree("/etc", tmp_path / "etc", symlinks=True, ignore_dangling_symlinks=True)
    (tmp_path / "lease").touch()

    def run(command: str) -> subprocess.CompletedProcess[str]:
        before = (
            f"mount --bind {tmp_path}/etc /etc; mount --bind {tmp_path}/lease /dev/cpu_dma_latency;"
            " mount -t tmpfs tmpfs /run; set -e;"
        )
        keep = f"{sys.executable} {_TESTS}/keeper.py 600 {_MSGMAX} {_LEASE};"
        after = f"; {_PROGRAM} revert >&2"
        return subprocess.run(
            [
                "unshare",
                "--mount",
                "--ipc",
                "--net",
                "--propagation",
                "private",
                "sh",
                "-c",
                before + keep + command + after,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment(tmp_path / "state"),
        )

    return run


def test_what_needs_systemd_is_said_and_held_on(inside: Inside, tmp_path: Path) -> None:
    done = inside(f"{_PROGRAM} commit --yes; cat /etc/sysctl.d/90-ipctune.conf; {_HELD}; find /etc -name '*ipctune*'")
    assert done.returncode == 0, done.stderr
    assert "does not last here: wake-up latency request: needs systemd" in done.stdout
    assert "kernel.msgmax = 131072\n1\n/etc/sysctl.d/90-ipctune.conf\n" in done.stdout
    assert (tmp_path / "lease").read_bytes() == b"\0\0\0\0"
    assert list((tmp_path / "etc/sysctl.d").glob("*ipctune*")) == [], "revert removes it"


def test_the_holder_has_no_deadline_after_a_commit(inside: Inside) -> None:
    done = inside(f"{_PROGRAM} commit --yes >&2; {_PROGRAM} status --json")
    found = json.loads(done.stdout.splitlines()[1])
    assert (found["state"], found["until"], found["seconds_left"]) == ("committed", None, None)
    assert found["watchdog_pid"] is not None
    assert {s["state"] for s in found["settings"]} == {"in force"}


def test_a_dry_run_writes_nothing(inside: Inside) -> None:
    done = inside(f"{_PROGRAM} commit --dry-run; find /etc -name '*ipctune*'")
    assert "/etc/sysctl.d/90-ipctune.conf:" in done.stdout
    assert "/etc/sysctl.d/90-ipctune.conf\n" not in done.stdout


def test_without_a_terminal_it_needs_a_yes(inside: Inside) -> None:
    done = inside(
        f"{_PROGRAM} commit </dev/null; echo code $?; find /etc -name '*ipctune*'".replace("; echo", " || echo")
    )
    assert "code 2\n" in done.stdout
    assert "--yes" in done.stderr


def test_a_line_that_would_win_is_named(inside: Inside) -> None:
    done = inside(f"echo kernel.msgmax=9000 >/etc/sysctl.d/95-x.conf; {_PROGRAM} commit --yes || echo code $?")
    assert "code 3\n" in done.stdout
    assert "/etc/sysctl.d/95-x.conf, line 1 sets kernel.msgmax to 9000" in done.stderr


def test_a_folder_that_can_not_be_written_is_told_and_nothing_stays(inside: Inside) -> None:
    read_only = "mount --bind /etc/sysctl.d /etc/sysctl.d; mount -o remount,bind,ro /etc/sysctl.d"
    done = inside(
        f"{read_only}; {_PROGRAM} commit --yes || echo code $?; {_PROGRAM} status --json; umount /etc/sysctl.d"
    )
    assert "code 3\n" in done.stdout
    assert "can't be written" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["state"] == "active"


def test_committing_twice_is_refused(inside: Inside) -> None:
    done = inside(f"{_PROGRAM} commit --yes; {_PROGRAM} commit --yes || echo code $?")
    assert "code 3\n" in done.stdout
    assert "committed already" in done.stderr
