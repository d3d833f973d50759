"""However a run with many processes ends, nothing stays, and what comes changed is never measured."""

import os
import signal
from pathlib import Path

import pytest
from tests.native.core import IN_FILES, Core, children, posix_queues, sysv_queues, wait_for
from tests.native.patterns import CASES, FANS, PEERS, words
from tests.native.test_core_left_behind import end


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TMPDIR of the core, empty; its path is short, for a socket in it."""
    made = tmp_path / "t"
    made.mkdir()
    monkeypatch.setenv("TMPDIR", str(made))
    return made


def count_of(pattern: str) -> int:
    return 1 + PEERS if pattern in FANS else 2


@pytest.mark.parametrize("victim", [0, 1, -1])
@pytest.mark.parametrize(("pattern", "mechanism"), CASES)
def test_a_process_is_killed(core: Core, folder: Path, pattern: str, mechanism: str, victim: int) -> None:
    process = core.start(mechanism, *words(pattern))
    guard = mechanism in IN_FILES and pattern == "connect"  # its name stays for as long as somebody connects
    assert wait_for(lambda: len(children(core, process.pid)) == count_of(pattern) + guard)
    os.kill(children(core, process.pid)[guard:][victim], signal.SIGKILL)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 70
    assert b"signal 9" in said
    assert wait_for(lambda: core.processes() == [])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("pattern", "mechanism"), CASES)
def test_the_supervisor_is_killed(core: Core, folder: Path, pattern: str, mechanism: str) -> None:
    before = sysv_queues()
    process = core.start(mechanism, *words(pattern), "--ipc-namespace", "present")
    assert wait_for(lambda: len(children(core, process.pid)) >= count_of(pattern))
    process.kill()
    end(process)
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: sysv_queues() <= before)
    assert wait_for(lambda: posix_queues() == set())
    assert wait_for(lambda: list(folder.iterdir()) == [])


@pytest.mark.parametrize("pattern", FANS)
def test_a_signal_ends_all(core: Core, pattern: str) -> None:
    process = core.start("tcp", "--pattern", pattern, "--peers", "64")
    assert wait_for(lambda: len(children(core, process.pid)) == 65)
    process.send_signal(signal.SIGINT)
    assert end(process) == 130
    assert wait_for(lambda: core.processes() == [])


@pytest.mark.parametrize("size", ["1", "7", "64", "5000"])
@pytest.mark.parametrize("message", ["1", "33"])
@pytest.mark.parametrize("pattern", ["burst", *FANS])
def test_one_changed_bit_is_seen(core: Core, pattern: str, message: str, size: str) -> None:
    answer = core.run("test-corrupt", *words(pattern), "--size", size, seconds=1, IPCTUNE_TEST_MECHANISMS=message)
    assert (answer.status, answer.error["call"]) == (70, "check")
    assert core.processes() == []


def test_too_few_descriptors_are_named(core: Core) -> None:
    few = ("sh", "-c", 'ulimit -n 40; exec "$@"', "sh")
    asked = ("run", "--mechanism", "unix-stream", "--pattern", "fan-in", "--peers", "64", "--seconds", "0.01")
    answer = core.call(*asked, prefix=few, ASAN_OPTIONS="detect_leaks=0")  # which needs a descriptor itself
    assert (answer.status, answer.error["limit"]) == (3, "RLIMIT_NOFILE")
    assert core.processes() == []
