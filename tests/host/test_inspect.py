"""`inspect` on this machine: it looks, changes nothing, and says what is so."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.trees.make import TREES, write

from ipctune.errors import Exit
from ipctune.host import read_host

TOP = Path(__file__).parents[2]
FULL = [sys.executable, "-m", "ipctune", "inspect"]
PLAIN = [sys.executable, "-m", "ipctune.cli.plain", "inspect"]
ENVIRONMENT = {"PYTHONPATH": str(TOP / "src"), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
SCREENS = [FULL, PLAIN]


def run(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, **more)  # type: ignore[call-overload,no-any-return]


def trace(command: list[str], log: Path) -> str:
    done = run(["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=openat,open,execve", "-o", str(log), *command])
    assert done.returncode == Exit.DONE, done.stderr
    text = log.read_text()
    assert "openat(" in text
    return text


@pytest.mark.parametrize("command", SCREENS)
def test_the_screen_fits_and_ends_with_0(command: list[str]) -> None:
    done = run([*command])
    assert done.returncode == Exit.DONE
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("command", SCREENS)
def test_check_exits_1_if_there_is_something_to_fix(command: list[str]) -> None:
    done = run([*command, "--check", "--json"])
    to_fix = [one for one in json.loads(done.stdout)["findings"] if one["severity"] == "fix"]
    assert done.returncode == (Exit.CHECK_FAILED if to_fix else Exit.DONE)


def test_looking_opens_nothing_for_writing(tmp_path: Path) -> None:
    opened = trace(PLAIN, tmp_path / "log")
    writing = [line for line in opened.splitlines() if re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", line)]
    assert [line for line in writing if '"/dev/null"' not in line] == []


def test_a_recorded_machine_is_read_alone(tmp_path: Path) -> None:
    """With --root nothing of this machine is read and no command is run."""
    top = write(TREES["debian12_kvm"](), tmp_path / "tree")
    opened = trace([*PLAIN, "--root", str(top)], tmp_path / "log")
    assert opened.count("execve(") == 1
    outside = re.findall(r'"(/(?:proc|sys|dev|run|boot|var)/[^"]*|/etc/(?:sysctl|os-release|tuned)[^"]*)"', opened)
    # The interpreter itself may look at these two when it starts.
    assert set(outside) <= {"/proc/self/fd", "/dev/null"}


def test_recording_and_reading_it_back(tmp_path: Path) -> None:
    path = tmp_path / "machine.tar.gz"
    assert run([*PLAIN, "--record", str(path)]).returncode == Exit.DONE
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(run([*FULL, "--json", "--root", str(path)]).stdout)
    here = read_host(quick=True)
    assert told["host"]["recorded"] is True
    assert told["host"]["kernel"]["release"] == here.kernel.release
    assert told["host"]["idle"]["governor"] == here.idle.governor
    assert told["host"]["hostname"] == "recorded"


def test_without_privileges() -> None:
    """A user without any rights gets an answer, and is told what stayed unseen.

    Rights are dropped after a first run has imported everything: the interpreter itself may lie where
    only root can read.
    """
    code = (
        "import contextlib, io, os, sys; from ipctune.cli.plain import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): main(['inspect'])\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(main(['inspect']))"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == Exit.DONE, done.stderr
    assert "uid 65534" in done.stdout
    assert "not root" in done.stdout


def test_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUNE_CORE", "/nonexistent/ipctune-core")
    host = read_host(quick=True)
    assert not host.core
    assert host.hypervisor.kvm is None
    assert host.limits["RLIMIT_NOFILE"].value is not None
    assert any("core" in one.why for one in host.unseen)


def test_the_plain_command_imports_no_library() -> None:
    code = (
        "import sys; from ipctune.cli.plain import main; main(['inspect']); "
        "print([name for name in ('click', 'msgspec', 'rich') if name in sys.modules])"
    )
    assert run([sys.executable, "-c", code]).stdout.splitlines()[-1] == "[]"


def test_who_holds_the_latency_request_is_named() -> None:
    """Opening the device asks for nothing yet (its default), so this changes no idle state."""
    device = os.open("/dev/cpu_dma_latency", os.O_RDONLY | os.O_CLOEXEC)
    try:
        holders = read_host(quick=True).idle.holders
    finally:
        os.close(device)
    assert os.getpid() in {holder.pid for holder in holders}


@pytest.mark.parametrize("command", SCREENS)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["--root", "/nonexistent/machine"], ["--root"]])
def test_wrong_use(command: list[str], arguments: list[str]) -> None:
    done = run([*command, *arguments])
    assert done.returncode == Exit.WRONG_USE
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", SCREENS)
def test_help_says_what_it_touches(command: list[str]) -> None:
    shown = run([*command, "--help"]).stdout
    assert "Touches: nothing" in shown
    assert "Needs:" in shown
    assert "Exit codes:" in shown


def test_a_reader_that_went_away_is_no_error() -> None:
    command = " ".join(PLAIN)
    done = run(["sh", "-c", f"{command} --json | head -c 1 >/dev/null; echo done"])
    assert "Traceback" not in done.stderr
