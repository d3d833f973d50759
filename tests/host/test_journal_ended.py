"""The real `ipctune tune`, ended by Ctrl-C, by a lost connection, by SIGTERM; and a second one beside it."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.host.journaled import PATIENCE, environment, reverted, until
from tests.host.lever import FOUND, KNOB, SETTING

from ipctune.journal import launch
from ipctune.journal.store import Journal

WORDS = (
    "tune",
    "--anyway",
    "--no-guard",
    "--only",
    KNOB,
    "--time",
    "46s",
    "--block",
    "0.02",
    "--rest",
    "0.03",
    "--yes",
)

pytestmark = pytest.mark.skipif(
    not os.access(SETTING, os.W_OK), reason="the setting they try is not there, or root's alone"
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, SETTING) as found:
        yield found


def on_a_terminal(journal: Journal) -> tuple[int, int]:
    """`tune` on a terminal of its own: its pid and our end of the terminal."""
    variables = environment(journal.state.path)
    pid, terminal = pty.fork()
    if not pid:
        os.execve(sys.executable, [sys.executable, "-m", "ipctune", *WORDS], variables)
    return pid, terminal


def is_trying(journal: Journal) -> bool:
    """Whether the setting is off its original now, and written down."""
    return bool(journal.entries()) and SETTING.read_text().strip() != FOUND


def ended(pid: int, terminal: int | None) -> int:
    """Wait for it, reading what it says; its exit code."""
    if terminal is not None:
        os.set_blocking(terminal, False)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if terminal is not None:
            with suppress(OSError):  # nothing to read, or its end is closed
                os.read(terminal, 65536)
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("it did not end")


def saved(journal: Journal) -> dict[str, object]:
    (name,) = journal.state.names("runs")
    run: dict[str, object] = json.loads(journal.state.read(name) or b"")
    return run


@pytest.mark.parametrize("how", ["ctrl-c", "lost connection"])
def test_everything_is_back_and_what_was_measured_is_kept(journal: Journal, how: str) -> None:
    pid, terminal = on_a_terminal(journal)
    reading = os.fork()
    if not reading:  # a full terminal would hold up the screen
        try:
            while os.read(terminal, 65536):
                pass
        finally:
            os._exit(0)
    try:
        tries = until(lambda: is_trying(journal))
    finally:
        os.kill(reading, signal.SIGKILL)
        os.waitpid(reading, 0)
    if not tries:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert tries
    if how == "ctrl-c":
        os.write(terminal, b"\x03")
    else:
        os.close(terminal)
    code = ended(pid, None if how == "lost connection" else terminal)
    if how != "lost connection":
        os.close(terminal)
    assert SETTING.read_text().strip() == FOUND
    assert journal.entries() == []
    assert journal.active() is None
    assert launch.status(journal.state) is None
    assert saved(journal)["interrupted"] is True
    assert saved(journal)["kept"] == {}
    assert code == 130


def second(journal: Journal, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ipctune", *words],
        env=environment(journal.state.path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_second_tuner_is_refused_with_the_pid_of_the_first_and_wait_waits(journal: Journal) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "ipctune", *WORDS],
        env=environment(journal.state.path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: is_trying(journal))
        for words in (WORDS, ("revert",)):
            refused = second(journal, *words)
            assert refused.returncode == 3, refused.stdout + refused.stderr
            assert f"pid {first.pid}" in refused.stderr
        waiting = subprocess.Popen(
            [sys.executable, "-m", "ipctune", *WORDS, "--dry-run", "--wait"],
            env=environment(journal.state.path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.5)
        assert waiting.poll() is None
    finally:
        first.send_signal(signal.SIGINT)
    assert first.wait(PATIENCE) == 130
    assert waiting.wait(60) == 0


def test_what_a_killed_tuner_and_watchdog_left_is_shown_and_undone(journal: Journal) -> None:
    """Both die: `status` says what is left and how to undo it, and changes nothing; `revert` undoes it."""
    tuner = subprocess.Popen(
        [sys.executable, "-m", "ipctune", *WORDS],
        env=environment(journal.state.path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert until(lambda: is_trying(journal))
    tuner.send_signal(signal.SIGSTOP)
    assert until(lambda: is_trying(journal) or tuner.poll() is not None)
    watchdog = launch.status(journal.state)
    assert watchdog is not None
    os.kill(watchdog.pid, signal.SIGKILL)
    tuner.kill()
    tuner.wait()
    left = SETTING.read_text()
    shown = second(journal, "status")
    assert "LEFT BEHIND" in shown.stdout
    assert "ipctune revert" in shown.stdout
    assert f"sh {journal.state.path}/undo.sh" in shown.stdout
    assert SETTING.read_text() == left
    undone = second(journal, "revert")
    assert undone.returncode == 0
    assert str(SETTING) in undone.stdout
    assert SETTING.read_text().strip() == FOUND
