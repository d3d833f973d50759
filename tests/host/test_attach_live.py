"""`tune --attach`: a live service whose own traffic decides, on this kernel."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.host.journaled import environment, reverted
from tests.host.lever import FOUND, KNOB, SETTING
from tests.host.test_scenarios import Silent
from tests.host.test_trace_live import can_trace

from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.host import read_host
from ipctune.journal.session import exclusive
from ipctune.journal.store import Journal
from ipctune.tune.attached import Attached
from ipctune.tune.loop import tune
from ipctune.tune.model import Goal, Outcome, Settings, TuneResult

pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="no BTF, or no right to load eBPF programs"),
    pytest.mark.skipif(not os.access(SETTING, os.W_OK), reason="the setting they try is not there, or root's alone"),
]

# A service on the first vCPU that answers through a socket pair, and its client on the last, so many times a second.
SERVICE = """
import os, socket, sys, time
cpus = sorted(os.sched_getaffinity(0))
a, b = socket.socketpair()
if not os.fork():
    a.close()
    os.sched_setaffinity(0, {cpus[0]})
    print(os.getpid(), flush=True)
    while b.recv(64): b.send(b"answer")
    os._exit(0)
b.close()
os.sched_setaffinity(0, {cpus[-1]})
begun, rates = time.monotonic(), [float(word) for word in sys.argv[1:]]
while True:
    a.send(b"ask"); a.recv(64)
    time.sleep(1 / rates[min(int((time.monotonic() - begun) / 7), len(rates) - 1)])
"""
# Whoever takes the vCPU from it in short turns as long as the setting reads as it was found. One of the same class
# would help rather: it keeps the vCPU awake, and is pushed aside at once.
RIVAL = f"""
import os, time
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
while True:
    if open("{SETTING}").read().strip() == "{FOUND}":
        end = time.monotonic() + 0.0015
        while time.monotonic() < end: pass
    time.sleep(0.0005)
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, SETTING) as found:
        yield found


@contextmanager
def service(*rates: float) -> Iterator[int]:
    """The process id of one that is asked so often, for seven seconds at each rate and then at the last."""
    command = [sys.executable, "-c", SERVICE, *map(str, rates)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextmanager
def rival() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", RIVAL])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def tuned(journal: Journal, pid: int) -> TuneResult:
    asked = Settings(
        attach=str(pid),
        only=(KNOB,),
        seconds=22.0,
        pairs=12,
        block=0.12,
        rest=0.03,
        idle=0.3,
        beside=0.03,
        hold=60.0,
        watch=0.0,
        guard=False,
        goal=Goal.LATENCY,
    )
    with exclusive(journal):
        return tune(read_host(quick=True), asked, journal, Silent())


def test_what_helps_a_live_service_is_kept(journal: Journal) -> None:
    with service(600.0) as pid, rival():
        result = tuned(journal, pid)
    trial = next(one for one in result.trials if one.knob == KNOB)
    assert trial.loads[0].name == "under its own traffic"
    assert trial.loads[0].p50.word == "better", trial.why
    assert trial.outcome is Outcome.KEPT, trial.why
    assert list(result.kept) == [KNOB]


def test_traffic_that_changes_is_no_effect(journal: Journal) -> None:
    with service(1000.0, 150.0) as pid:
        result = tuned(journal, pid)
    trial = next(one for one in result.trials if one.knob == KNOB)
    assert result.kept == {}
    assert trial.outcome in (Outcome.UNDECIDED, Outcome.NO_GAIN)
    if trial.outcome is Outcome.UNDECIDED:
        assert "traffic changed" in trial.why or "undecided" in trial.loads[0].p50.word


def test_a_sample_has_what_it_did() -> None:
    with service(500.0) as pid, Attached(str(pid)) as at:
        sample = at.sample(at.loads[0], 0.5, 1)
    assert 150 <= sample.messages <= 260
    assert sample.buckets is not None
    assert sum(count for _, count in sample.buckets) >= 150
    assert sample.cpu_ns > 0
    assert any("idle vCPU" in note for note in at.notes)


def test_one_that_does_nothing_or_ends_is_a_clear_error() -> None:
    idle = subprocess.Popen(["sleep", "60"])
    try:
        with Attached(str(idle.pid)) as at:
            with pytest.raises(WorkloadFailed, match="does too little"):
                at.sample(at.loads[0], 0.1, 1)
            idle.kill()
            idle.wait()
            with pytest.raises(WorkloadFailed, match="has ended"):
                at.sample(at.loads[0], 0.1, 1)
    finally:
        idle.kill()
        idle.wait()
    with pytest.raises(NotPossible, match="no process"), Attached(str(idle.pid)):
        pass


@pytest.mark.parametrize("words", [("--attach", "no-such-unit"), ("--attach", "1", "--workload", "redis")])
def test_wrong_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "ipctune", "tune", "--yes", *words],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said.returncode == (2 if "redis" in words else 3)
    assert "no-such-unit" in said.stderr or "exclude each other" in said.stderr
