"""No segment, no semaphore and no file stays behind, whoever is killed and whenever; who was killed is named."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from tests.native.core import MECHANISMS, PATTERNS, Core, sysv_objects, wait_for

SEGMENTS = tuple(name for name in MECHANISMS if name.startswith("sysv-shm-"))
LASTING = (*SEGMENTS, "sysv-msg", "posix-mq", "process-vm-readv")
"""Those with something that could stay; the others are in test_core_killed_peer.py."""
PRESENT = ("--ipc-namespace", "present")
ROLES = {"ping-pong": ("server", "client"), "stream": ("consumer", "producer")}


def objects() -> dict[str, set[str]]:
    """What could stay: System V objects by kind, files in /dev/shm."""
    files = {entry.name for entry in Path("/dev/shm").iterdir()}
    return {"/dev/shm": files, **{kind: sysv_objects(kind) for kind in ("msg", "sem", "shm")}}


def as_before(before: dict[str, set[str]]) -> bool:
    return all(now <= before[kind] for kind, now in objects().items())


def sides(core: Core, supervisor: int) -> list[int]:
    """The answering side and the driving one; the guard came before both, the supervisor before all."""
    return sorted(pid for pid in core.processes() if pid != supervisor)[-2:]


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", LASTING)
def test_who_was_killed_is_named_and_what_the_other_met(core: Core, mechanism: str, pattern: str, victim: int) -> None:
    before = objects()
    process = core.start(mechanism, "--pattern", pattern, *PRESENT)
    least = 4 if mechanism.startswith(("sysv-", "posix-mq")) else 3
    assert wait_for(lambda: len(core.processes()) == least)
    time.sleep(0.02)
    os.kill(sides(core, process.pid)[victim], signal.SIGKILL)
    said = process.communicate(timeout=20)[0].decode()
    killed, other = ROLES[pattern][victim], ROLES[pattern][1 - victim]
    assert re.search(rf"the {killed} was ended by signal 9 \(Killed\); the {other}: \w", said), said
    assert process.returncode == 70
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: as_before(before))


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5, 8, 12, 30, 100])
@pytest.mark.parametrize("mechanism", SEGMENTS)
def test_the_supervisor_is_killed_in_the_present_namespace(core: Core, mechanism: str, delay_ms: int) -> None:
    before = objects()
    process = core.start(mechanism, *PRESENT)
    time.sleep(delay_ms / 1000)
    process.kill()
    process.communicate(timeout=20)
    assert wait_for(lambda: core.processes() == [])
    assert wait_for(lambda: as_before(before))


def segments(maker: int) -> list[list[str]]:
    """Key, id, mode, bytes, maker and more of each segment that this process made (proc_sysvipc(5))."""
    lines = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]
    return [line.split() for line in lines if line.split()[4] == str(maker)]


def test_segments_are_marked_while_they_are_used(core: Core) -> None:
    process = core.start("sysv-shm-futex", *PRESENT)
    try:
        assert wait_for(lambda: len(core.processes()) == 4)
        assert [(line[0], int(line[2], 8) & 0o1000) for line in segments(process.pid)] == [("0", 0o1000)] * 2
    finally:
        process.kill()
        process.communicate(timeout=20)
    assert wait_for(lambda: segments(process.pid) == [])


@pytest.mark.parametrize(
    ("mechanism", "setting", "value", "limit"),
    [
        *((mechanism, "shmmni", "1", "kernel.shmmni") for mechanism in SEGMENTS),
        ("sysv-shm-sem", "sem", "250 3 100 128", "kernel.sem.semmns"),
    ],
)
def test_a_refusal_leaves_nothing(core: Core, mechanism: str, setting: str, value: str, limit: str) -> None:
    # a namespace of the test's own is the core's present one; two lines are the headings of empty tables
    inside = f"""echo '{value}' >/proc/sys/kernel/{setting}; "$@"; code=$?
        [ "$(cat /proc/sysvipc/shm /proc/sysvipc/sem | wc -l)" = 2 ] || exit 99; exit $code"""
    words = ("run", "--mechanism", mechanism, "--seconds", "0.01", *PRESENT)
    answer = core.call(*words, prefix=("unshare", "-i", "sh", "-c", inside, "sh"))
    assert (answer.status, answer.error["limit"]) == (3, limit)
