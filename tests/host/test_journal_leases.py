"""Leases that the watchdog holds, and whoever is killed around them: `undo.sh`, `keep`, `status`, `verify` after it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.journaled import leases, pid_of, reverted, undo, until

from ipctune.errors import NotPossible
from ipctune.journal import launch
from ipctune.journal.aside import putting_aside
from ipctune.journal.change import Change
from ipctune.journal.commit import preview
from ipctune.journal.machine import boot_id, start_time
from ipctune.journal.session import prolong, tuning
from ipctune.journal.status import read_status
from ipctune.journal.store import Active, Hold, Journal
from ipctune.journal.watchdog import STATUS, boottime
from ipctune.knobs.registry import KNOBS

KNOB = KNOBS["net.core.wmem_max"]
PATH = Path("/proc/sys/net/core/wmem_max")
LEASE = KNOBS["cpu-dma-latency"]
LATENCY = {"latency_us": "1000000"}
HOLD = Hold(LEASE.id, LATENCY)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, PATH) as found:
        yield found


def keep(journal: Journal, *, value: bool = False, lease: bool = False) -> None:
    """What `tune` does with a winner."""
    wanted = [(KNOB, {KNOB.id: str(int(PATH.read_text()) * 2)})] if value else []
    with tuning(journal) as session:
        for knob, text in [*wanted, *([(LEASE, LATENCY)] if lease else [])]:
            with Change(journal, knob, [text]) as change:
                change.keep(0)
                session.keep(knob, text)
        session.hold_until(600, "test")


def test_undo_sh_ends_the_lease_that_the_watchdog_holds(journal: Journal) -> None:
    """A lease has no entry: nothing but the end of its holder takes it back."""
    keep(journal, lease=True)
    pid = pid_of(journal.state)
    assert leases(pid) == 1
    done = undo(journal)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ended: the watchdog (pid {pid})" in done.stdout
    assert launch.status(journal.state) is None
    assert read_status(journal).state == "nothing"


def test_undo_sh_ends_no_watchdog_beside_a_tuner(journal: Journal) -> None:
    with tuning(journal):
        done = undo(journal)
        assert launch.status(journal.state) is not None
    assert done.returncode == 1
    assert f"a run is at work (pid {os.getpid()})" in done.stdout


def test_undo_sh_ends_no_other_process(journal: Journal) -> None:
    """The number of a watchdog that is gone may belong to another process by now."""
    keep(journal, value=True)
    os.kill(pid_of(journal.state), signal.SIGKILL)
    assert until(lambda: launch.status(journal.state) is None)
    with subprocess.Popen(["sleep", "60"]) as other:
        facts = json.loads(journal.state.read(STATUS) or b"")
        for start in (facts["start"], start_time(other.pid)):
            journal.state.write(STATUS, json.dumps({**facts, "pid": other.pid, "start": start}).encode())
            assert "ended:" not in undo(journal).stdout
            assert other.poll() is None
        other.kill()


def test_a_kept_lease_that_nobody_holds_any_more_is_no_success(journal: Journal) -> None:
    """Tuner and watchdog were killed between the keeping and the deadline: what `keep` says must hold."""
    pid = os.fork()
    if not pid:
        with tuning(journal) as session:
            session.keep(LEASE, LATENCY)
            os.kill(pid_of(journal.state), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert until(lambda: launch.status(journal.state) is None)
    status = read_status(journal)
    assert (status.state, status.why_left) == ("left behind", "its run was killed")
    with pytest.raises(NotPossible, match="nothing is active"):
        preview(journal)
    with pytest.raises(NotPossible, match="nothing is active"):
        prolong(journal, 60)
    assert journal.active() is None
    assert read_status(journal).state == "nothing"


def test_keep_after_the_deadline_revives_nothing(journal: Journal) -> None:
    journal.set_active(
        Active(boot_id=boot_id(), deadline=boottime() - 3600, until=1.0, kept={LEASE.id: LATENCY}, holds=(HOLD,))
    )
    assert read_status(journal).why_left == "its time is up"
    with pytest.raises(NotPossible, match="nothing is active"):
        prolong(journal, 60)
    assert launch.status(journal.state) is None


def test_a_set_that_a_killed_verify_put_aside_comes_back_in_force(journal: Journal) -> None:
    keep(journal, value=True, lease=True)
    before = PATH.read_text()
    pid = os.fork()
    if not pid:
        with putting_aside(journal, 10) as aside:
            aside.off()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert PATH.read_text() != before
    assert leases(pid_of(journal.state)) == 0
    assert any("verify was killed" in problem for problem in read_status(journal).problems)
    prolong(journal, 600)
    assert PATH.read_text() == before
    assert leases(pid_of(journal.state)) == 1
    assert read_status(journal).problems == ()


def test_what_is_aside_keeps_its_watchdog_and_its_lease(journal: Journal) -> None:
    keep(journal, value=True, lease=True)
    pid = pid_of(journal.state)
    with putting_aside(journal, 10) as aside:
        aside.off()
        assert leases(pid) == 0
        aside.on()
        assert leases(pid) == 1
    assert pid_of(journal.state) == pid
    assert (journal.active() or Active()).aside == 0


def test_what_the_watchdog_complains_of_is_in_a_file(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_MAIN", launch._MAIN.replace("from ipctune", "from nowhere"))
    with pytest.raises(NotPossible, match="did not start") as error, tuning(journal):
        pass
    said = journal.state.path / "watchdog.log"
    assert str(said) in error.value.hint
    assert "nowhere" in said.read_text()
    assert said.stat().st_mode & 0o777 == 0o600
