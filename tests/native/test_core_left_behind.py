"""Nothing stays behind, whoever is killed and whenever."""

import os
import signal
import subprocess
import time

import pytest
from tests.native.core import MECHANISMS, Core, children, pattern_words, posix_queues, sysv_queues, wait_for


def end(process: subprocess.Popen[bytes]) -> int:
    process.communicate(timeout=20)
    return process.returncode


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_side_is_killed(core: Core, mechanism: str, victim: int) -> None:
    process = core.start(mechanism)
    assert wait_for(lambda: len(children(core, process.pid)) == 2)
    os.kill(children(core, process.pid)[victim], signal.SIGKILL)
    assert end(process) == 70
    assert wait_for(lambda: core.processes() == [])


@pytest.mark.parametrize("pattern", ["ping-pong", "stream"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_supervisor_is_killed(core: Core, mechanism: str, pattern: str) -> None:
    process = core.start(mechanism, *pattern_words(mechanism, pattern))
    assert wait_for(lambda: len(children(core, process.pid)) == 2)
    process.kill()
    end(process)
    assert wait_for(lambda: core.processes() == [])


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5, 8, 12, 30])
@pytest.mark.parametrize("mechanism", ["sysv-msg", "posix-mq"])
def test_the_supervisor_is_killed_early_in_the_present_namespace(core: Core, mechanism: str, delay_ms: int) -> None:
    before = sysv_queues()
    process = core.start(mechanism, "--ipc-namespace", "present")
    time.sleep(delay_ms / 1000)
    process.kill()
    end(process)
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: sysv_queues() <= before)
    assert wait_for(lambda: posix_queues() == set())


@pytest.mark.parametrize("victim", [1, 2])
def test_a_side_is_killed_in_the_present_namespace(core: Core, victim: int) -> None:
    before = sysv_queues()
    process = core.start("sysv-msg", "--ipc-namespace", "present")
    assert wait_for(lambda: len(children(core, process.pid)) == 3)  # the guard, the server, the client
    os.kill(children(core, process.pid)[victim], signal.SIGKILL)
    assert end(process) == 70
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: sysv_queues() <= before)  # others beside this one have theirs for a moment


def test_a_guard_that_is_killed_is_followed_by_another(core: Core) -> None:
    before = sysv_queues()
    process = core.start("sysv-msg", "--ipc-namespace", "present")
    assert wait_for(lambda: len(children(core, process.pid)) == 3)
    guard = children(core, process.pid)[0]
    os.kill(guard, signal.SIGKILL)
    assert wait_for(lambda: guard not in core.processes() and len(children(core, process.pid)) == 3)
    process.kill()
    end(process)
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: sysv_queues() <= before)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_all(core: Core, number: signal.Signals, status: int) -> None:
    before = sysv_queues()
    process = core.start("sysv-msg", "--ipc-namespace", "present")
    assert wait_for(lambda: len(children(core, process.pid)) == 3)
    process.send_signal(number)
    assert end(process) == status
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: sysv_queues() <= before)  # others beside this one have theirs for a moment


def test_a_block_that_ends_by_itself_leaves_nothing(core: Core) -> None:
    before = sysv_queues()
    for mechanism in MECHANISMS:
        assert core.run(mechanism, "--ipc-namespace", "present").status == 0
        assert core.processes() == []
    assert wait_for(lambda: sysv_queues() <= before)  # others beside this one have theirs for a moment
    assert wait_for(lambda: posix_queues() == set())


def test_a_refusal_leaves_nothing(core: Core) -> None:
    before = sysv_queues()
    answer = core.run("sysv-msg", "--ipc-namespace", "present", "--capacity", "1073741824")
    assert answer.status in (0, 3)
    assert core.processes() == []
    assert wait_for(lambda: sysv_queues() <= before)  # others beside this one have theirs for a moment


def test_a_parent_that_ignores_its_children_changes_nothing(core: Core) -> None:
    words = ("run", "--mechanism", "pipe", "--seconds", "0.01")
    ignoring = ("sh", "-c", 'trap "" CHLD; exec "$@"', "sh")
    assert core.call(*words, prefix=ignoring).status == 0
