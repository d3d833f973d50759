"""The guard on the real machine: programs of others come short, and the run gives way; a live nginx loses no answer."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.host.journaled import reverted
from tests.host.lever import FOUND, KNOB, SETTING
from tests.host.test_scenarios import LATENCY, Silent

from ipctune.errors import NotPossible
from ipctune.host import read_host
from ipctune.journal.session import exclusive
from ipctune.journal.store import Journal
from ipctune.tune.loop import tune
from ipctune.tune.model import TuneResult
from ipctune.tune.plan import Plan

pytestmark = pytest.mark.skipif(not os.access(SETTING, os.W_OK), reason="the setting is not there, or root's alone")

TOP = Path(__file__).parents[2]
SETTINGS = dataclasses.replace(
    LATENCY, only=(KNOB,), seconds=30.0, rest=0.08, idle=0.3, hold=60.0, pairs=12, watch=1.6, watch_stops=False
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, SETTING) as found:
        yield found


@contextmanager
def strangers(count: int) -> Iterator[None]:
    """Programs that compute all the time and that are no children of ours: what a service looks like to a run."""
    told, tell = os.pipe()
    for cpu in sorted(os.sched_getaffinity(0))[:count]:
        child = os.fork()
        if not child:
            if not os.fork():
                os.closerange(3, tell)  # the run's lock among them
                os.closerange(tell + 1, 1024)
                os.sched_setaffinity(0, {cpu})
                os.write(tell, f"{os.getpid()}\n".encode())
                end = time.monotonic() + 120
                while time.monotonic() < end:
                    pass
            os._exit(0)
        os.waitpid(child, 0)
    pids: list[int] = []
    try:
        while len(pids) < count:
            pids += [int(word) for word in os.read(told, 64).split()]
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        os.close(told)
        os.close(tell)


def run(journal: Journal, listener: Silent) -> TuneResult:
    with exclusive(journal):
        return tune(read_host(quick=True), SETTINGS, journal, listener)


def test_it_does_not_start_where_others_need_the_machine(journal: Journal) -> None:
    with strangers(len(os.sched_getaffinity(0))), pytest.raises(NotPossible, match="your programs leave"):
        run(journal, Silent())
    assert not journal.entries()


def test_it_pauses_and_stops_where_they_need_it_in_the_middle(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipctune.tune.guard.PATIENCE_S", 5.0)
    came: list[object] = []

    class Busy(Silent):
        def consent(self, plan: Plan, seconds: float) -> bool:
            came.append(crowd.__enter__())
            return super().consent(plan, seconds)

    crowd = strangers(len(os.sched_getaffinity(0)))
    try:
        found = run(journal, Busy())
    finally:
        if came:
            crowd.__exit__(None, None, None)
    assert found.took is not None
    assert "still after a pause" in found.took.stopped
    assert found.took.paused
    assert (found.kept, found.until) == ({}, None)
    assert SETTING.read_text().strip() == FOUND
    assert not journal.entries()


def test_a_live_nginx_loses_no_answer_and_the_run_stays_small() -> None:
    words = ["--seconds", "2", "--json", "--", "--time", "40s", "--block", "0.02", "--rest", "0.02", "--yes"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.guarded", *words],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": f"{TOP}/src:{TOP}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [phase["errors"] for phase in found["phases"].values()] == [0, 0, 0]
    assert found["phases"]["during"]["requests"] > 1000
    assert 0 < found["run"]["took"]["memory_bytes"] < 150 << 20
