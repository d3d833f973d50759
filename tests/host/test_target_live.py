"""Live objects and namespaces of another process: changed where they are, and back after whatever happens."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.host.target import LOW, TOP, Target

from ipctune.errors import NotPossible
from ipctune.host import read_host
from ipctune.host.state import open_state
from ipctune.journal import launch
from ipctune.journal.change import Change, Interference
from ipctune.journal.commit import preview
from ipctune.journal.entry import Phase, serialise
from ipctune.journal.restore import Result
from ipctune.journal.session import revert, tuning
from ipctune.journal.status import read_status
from ipctune.journal.store import UNDO, Journal
from ipctune.knobs.marks import parse
from ipctune.knobs.model import Value
from ipctune.knobs.others import started
from ipctune.knobs.registry import KNOBS

HOST = read_host(quick=True)
OBJECTS = {"target-pipes": "pipe", "target-sockets": "socket", "target-queues": "queue"}
LIMITS = {"target-ipc-limits": "msgmni", "target-net-limits": "somaxconn"}
REFUSED = {"refused:kernel.msgmni": "32001", "refused:net.core.somaxconn": "9000"}
PATIENCE = 20.0

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="other namespaces are root's to enter"),
    pytest.mark.usefixtures("as_it_was"),
]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    state = open_state(tmp_path / "state")
    assert state is not None
    yield Journal(state)
    revert(Journal(state))
    assert launch.status(state) is None


def value(knob: str, target: Target) -> Value:
    """What would be tried; of pipes the one that the stand-in tells about."""
    hints = {"target": f"{target.pid}:{started(target.pid)}", **REFUSED}
    (found,) = KNOBS[knob].candidates(HOST, hints)
    inode = target.ask("look")["inode"]
    return {n: t for n, t in found.items() if knob != "target-pipes" or f"[{inode}]" in n}


@pytest.mark.parametrize(("knob", "what"), [*OBJECTS.items(), *LIMITS.items()])
def test_it_is_set_verified_taken_back_kept_and_restored(
    journal: Journal, target: Target, knob: str, what: str
) -> None:
    before = target.ask("look")
    tried = value(knob, target)
    with Change(journal, KNOBS[knob], [tried]) as change:
        (entry,) = journal.entries()
        assert all(parse(name) for name in entry.original), "marks, no paths"
        assert target.ask("look") == before, "the record is there before the first write"
        change.set(0)
        now = target.ask("look")
        assert str(now[what]) == next(iter(tried.values()))
        assert {k: v for k, v in now.items() if k != what} == {k: v for k, v in before.items() if k != what}
        change.unset()
        assert target.ask("look") == before
        change.keep(0)
    assert str(target.ask("look")[what]) == next(iter(tried.values()))
    assert {part.result for part in journal.restore_all("test")} == {Result.RESTORED}
    assert target.ask("look") == before
    assert journal.entries() == []


def test_a_tcp_socket_is_left_alone(target: Target) -> None:
    marks = [parse(name) for name in value("target-sockets", target)]
    assert len(marks) == 2
    assert {mark.kind for mark in marks if mark} == {"socket"}


def test_a_queue_keeps_its_owner_and_its_place(target: Target) -> None:
    assert target.ask("look")["queue"] == LOW
    assert len(value("target-queues", target)) == 1


def test_nothing_of_ours_stays_in_the_namespace(journal: Journal, target: Target) -> None:
    before = [Path(f"/proc/self/ns/{kind}").readlink() for kind in ("ipc", "net")]
    with Change(journal, KNOBS["target-ipc-limits"], [value("target-ipc-limits", target)]) as change:
        change.set(0)
    assert [Path(f"/proc/self/ns/{kind}").readlink() for kind in ("ipc", "net")] == before


# What ends, closes or changes meanwhile ---------------------------------------------------------------------------


@pytest.mark.parametrize("knob", [*OBJECTS, *LIMITS])
def test_a_process_that_ends_in_the_middle_leaves_nothing_to_do(journal: Journal, target: Target, knob: str) -> None:
    with Change(journal, KNOBS[knob], [value(knob, target)]) as change:
        change.set(0)
        os.kill(target.pid, signal.SIGKILL)
        target.process.wait(PATIENCE)
        with pytest.raises(NotPossible, match="is gone"):
            change.set(0)
    assert journal.entries() == []


@pytest.mark.parametrize("knob", [*OBJECTS, *LIMITS])
def test_what_was_kept_is_gone_with_its_process(journal: Journal, target: Target, knob: str) -> None:
    with Change(journal, KNOBS[knob], [value(knob, target)]) as change:
        change.keep(0)
    os.kill(target.pid, signal.SIGKILL)
    target.process.wait(PATIENCE)
    assert {s.state for s in read_status(journal).settings} == {"gone with its process"}
    assert {part.result for part in journal.restore_all("test")} == {Result.GONE}
    assert journal.entries() == []


def test_a_pipe_that_is_closed_meanwhile_is_passed_over(journal: Journal, target: Target) -> None:
    both = {**value("target-pipes", target)}
    hints = {"target": f"{target.pid}:{started(target.pid)}"}
    (everything,) = KNOBS["target-pipes"].candidates(HOST, hints)
    assert len(everything) > len(both)
    with Change(journal, KNOBS["target-pipes"], [everything]) as change:
        change.set(0)
        target.ask("close")
        change.unset()
        change.set(0)
    assert journal.entries() == []


def test_a_worker_that_inherited_the_pipe_gets_it_back(journal: Journal, target: Target) -> None:
    before = target.ask("look")["pipe"]
    tried = value("target-pipes", target)
    child = target.ask("fork")["child"]
    (name,) = tried
    part = KNOBS["target-pipes"].parts()[name]
    with Change(journal, KNOBS["target-pipes"], [tried]) as change:
        change.keep(0)
    os.kill(target.pid, signal.SIGKILL)
    target.process.wait(PATIENCE)
    assert part.read() == tried[name]
    assert {found.result for found in journal.restore_all("test")} == {Result.RESTORED}
    assert part.read() == str(before)
    os.kill(child, signal.SIGKILL)


def test_a_pid_that_is_anothers_now_is_never_written(target: Target) -> None:
    for knob in (*OBJECTS, *LIMITS):
        for name in value(knob, target):
            mark = parse(name)
            assert mark is not None
            part = KNOBS[knob].parts()[str(replace(mark, start=mark.start + 1, ticks=min(mark.ticks, mark.start)))]
            if mark.space:  # others may stand in that namespace: here, nobody does who was there by then
                part = KNOBS[knob].parts()[str(replace(mark, start=mark.start + 1, ticks=mark.start - 1))]
            assert part.read() is None
            with pytest.raises(NotPossible):
                part.write("4096")


def test_what_the_target_changes_itself_is_left_alone(journal: Journal, target: Target) -> None:
    change = Change(journal, KNOBS["target-pipes"], [value("target-pipes", target)]).__enter__()
    change.set(0)
    target.ask("resize 131072")
    with pytest.raises(Interference):
        change.__exit__(None, None, None)
    assert target.ask("look")["pipe"] == 131072
    assert [part.result for part in journal.restore_all("test")] == [Result.CHANGED]
    assert target.ask("look")["pipe"] == 131072


def test_a_pipe_that_holds_more_is_restored_once_it_was_read(journal: Journal, target: Target) -> None:
    before = target.ask("look")["pipe"]
    with Change(journal, KNOBS["target-pipes"], [value("target-pipes", target)]) as change:
        change.keep(0)
    target.ask("fill 300000")
    (failed,) = journal.restore_all("test")
    assert failed.result is Result.FAILED
    assert "busy" in failed.why
    assert len(journal.entries()) == 1, "nothing is lost"
    target.ask("drain 300000")
    assert [part.result for part in journal.restore_all("test")] == [Result.RESTORED]
    assert target.ask("look")["pipe"] == before


# Another member of the namespace ----------------------------------------------------------------------------------


def test_limits_are_restored_through_whoever_was_in_the_namespace(journal: Journal, target: Target) -> None:
    before = target.ask("look")["msgmni"]
    child = target.ask("fork")["child"]
    tried = value("target-ipc-limits", target)
    with Change(journal, KNOBS["target-ipc-limits"], [tried]) as change:
        change.keep(0)
    os.kill(target.pid, signal.SIGKILL)
    target.process.wait(PATIENCE)
    part = KNOBS["target-ipc-limits"].parts()[next(iter(tried))]
    assert part.read() == next(iter(tried.values()))
    assert {found.result for found in journal.restore_all("test")} == {Result.RESTORED}
    assert part.read() == before
    os.kill(child, signal.SIGKILL)


# Kills, and undo.sh alone -----------------------------------------------------------------------------------------

DRIVER = """
import json, sys, time
from pathlib import Path
from ipctune.host.state import open_state
from ipctune.journal.change import Change
from ipctune.journal.session import tuning
from ipctune.journal.store import Journal
from ipctune.knobs.registry import KNOBS
tried = json.loads(sys.argv[2])
with tuning(Journal(open_state(Path(sys.argv[1])))) as session:
    changes = [Change(session.journal, KNOBS[knob], [value]).__enter__() for knob, value in tried.items()]
    for change in changes:
        change.set(0)
    print("set", flush=True)
    time.sleep(60)
"""


def killed(
    journal: Journal, tried: dict[str, Value], *, watchdog: bool, driver: str = DRIVER, after: float = 0.0
) -> None:
    """A tuner that set all of it is killed in the middle, and its watchdog with it, or first, or not."""
    variables = {**os.environ, "PYTHONPATH": f"{TOP / 'src'}:{TOP}"}
    command = [sys.executable, "-c", driver, str(journal.state.path), json.dumps(tried)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as tuner:
        assert tuner.stdout is not None
        assert tuner.stdout.readline() == "set\n"
        time.sleep(after)
        running = launch.status(journal.state)
        assert running is not None
        if watchdog:
            os.kill(running.pid, signal.SIGKILL)
        tuner.kill()


def all_of(target: Target) -> dict[str, Value]:
    return {knob: value(knob, target) for knob in (*OBJECTS, *LIMITS)}


def test_the_watchdog_restores_after_a_kill(journal: Journal, target: Target) -> None:
    before = target.ask("look")
    killed(journal, all_of(target), watchdog=False)
    end = time.monotonic() + PATIENCE
    while journal.entries() and time.monotonic() < end:
        time.sleep(0.01)
    assert target.ask("look") == before
    assert journal.entries() == []


def test_revert_restores_after_both_were_killed(journal: Journal, target: Target) -> None:
    before = target.ask("look")
    killed(journal, all_of(target), watchdog=True)
    assert target.ask("look") != before
    assert {part.result for part in revert(journal)} == {Result.RESTORED}
    assert target.ask("look") == before


DRIVER_AGAIN = DRIVER.replace(
    "time.sleep(60)",
    "while True:\n        for change in changes:\n            change.unset()\n            change.set(0)",
)


@pytest.mark.parametrize("seed", range(12))
def test_revert_restores_whenever_both_were_killed(journal: Journal, target: Target, seed: int) -> None:
    before = target.ask("look")
    after = random.Random(seed).uniform(0, 0.3)
    killed(journal, all_of(target), watchdog=True, driver=DRIVER_AGAIN, after=after)
    revert(journal)
    assert target.ask("look") == before
    assert journal.entries() == []


def test_undo_sh_alone_restores_limits_and_says_what_is_left(journal: Journal, target: Target) -> None:
    before = target.ask("look")
    killed(journal, all_of(target), watchdog=True)
    script = ["sh", str(journal.state.path / UNDO)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    now = target.ask("look")
    assert {what: now[what] for what in LIMITS.values()} == {what: before[what] for what in LIMITS.values()}
    assert done.stdout.count("restored: /proc/sys/") == len(LIMITS), done.stdout + done.stderr
    assert f"left: capacity of pipe:[{now['inode']}] of process {target.pid} (it was {before['pipe']})" in done.stdout
    assert done.stdout.count("left: ") == sum(len(value) for value in all_of_entries(journal))
    assert done.returncode == 1
    os.kill(target.pid, signal.SIGKILL)
    target.process.wait(PATIENCE)
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert "left: " not in done.stdout
    assert done.stdout.count("is gone with its processes") == len(LIMITS), done.stdout
    assert done.returncode == 0


def all_of_entries(journal: Journal) -> list[dict[str, str]]:
    return [entry.original for entry in journal.entries() if entry.knob in OBJECTS]


def test_undo_sh_says_nothing_is_left_where_the_watchdog_put_it_back(journal: Journal, target: Target) -> None:
    before = target.ask("look")
    tried = all_of(target)
    with tuning(journal) as session:
        for knob, one in tried.items():
            with Change(journal, KNOBS[knob], [one]) as change:
                change.keep(0)
                session.keep(KNOBS[knob], one)
        session.hold_until(60, "test")
    assert target.ask("look") != before
    script = ["sh", str(journal.state.path / UNDO)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left: " not in done.stdout
    assert target.ask("look") == before


# Commit, and forged entries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knob", "says"),
    [
        ("target-ipc-limits", r'compose `sysctls: \{ kernel.msgmni: "32768" \}`, or `docker run --sysctl kernel.msgm'),
        ("target-pipes", r"the program's own to set, with fcntl\(F_SETPIPE_SZ\)"),
    ],
)
def test_commit_refuses_and_says_where_it_belongs(journal: Journal, target: Target, knob: str, says: str) -> None:
    tried = value(knob, target)
    with tuning(journal) as session:
        with Change(journal, KNOBS[knob], [tried]) as change:
            change.keep(0)
            session.keep(KNOBS[knob], tried)
        session.hold_until(60, "test")
    with pytest.raises(NotPossible, match=says):
        preview(journal)


@pytest.mark.parametrize("part", ["/etc/passwd", "1:2:ipc:[3]@4:kernel.core_pattern", "guest_halt_poll_ns"])
def test_an_entry_that_was_edited_is_refused_and_writes_nothing(journal: Journal, target: Target, part: str) -> None:
    with Change(journal, KNOBS["target-ipc-limits"], [value("target-ipc-limits", target)]) as change:
        change.keep(0)
    (entry,) = journal.entries()
    raised = target.ask("look")
    name = f"journal/{entry.knob}.json"
    journal.state.write(name, serialise(replace(entry, original={part: "7"})))
    with pytest.raises(NotPossible, match="names nothing that target-ipc-limits sets"):
        revert(journal)
    journal.state.write(name, serialise(replace(entry, phase=Phase.COMMITTED)))
    with pytest.raises(NotPossible, match="can't be committed"):
        revert(journal)
    (original,) = entry.original
    journal.state.write(name, serialise(replace(entry, original={original: "1; reboot"})))
    with pytest.raises(NotPossible, match="is no limit"):
        revert(journal)
    assert target.ask("look") == raised
    journal.state.write(name, serialise(entry))
