"""The watchdog on this kernel: it restores at the deadline and at the tuner's death, holds leases, and stays small."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.journaled import SOURCE, leases, pid_of, reverted, undo, until

from ipctune.errors import NotPossible
from ipctune.journal import launch
from ipctune.journal.change import Change
from ipctune.journal.session import prolong, revert, tuning
from ipctune.journal.status import read_status
from ipctune.journal.store import ACTIVE, UNDO, Journal
from ipctune.knobs.registry import KNOBS
from ipctune.report import undone

KNOB = KNOBS["net.core.wmem_max"]
PATH = Path("/proc/sys/net/core/wmem_max")
LEASE = KNOBS["cpu-dma-latency"]
LATENCY = {"latency_us": "1000000"}


@pytest.fixture
def value() -> dict[str, str]:
    return {KNOB.id: str(int(PATH.read_text()) * 2)}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, PATH) as found:
        yield found


def keep(journal: Journal, value: dict[str, str], seconds: float, *, lease: bool = False) -> None:
    """What `tune` does with a winner."""
    with tuning(journal) as session:
        with Change(journal, KNOB, [value]) as change:
            change.keep(0)
            session.keep(KNOB, value)
        if lease:
            with Change(journal, LEASE, [LATENCY]) as change:
                change.keep(0)
                session.keep(LEASE, LATENCY)
        session.hold_until(seconds, "test")


def events(journal: Journal) -> list[str]:
    return [line["event"] for line in journal.log()]


def test_it_restores_at_the_deadline_and_ends(journal: Journal, value: dict[str, str]) -> None:
    before = PATH.read_text()
    keep(journal, value, 0.5, lease=True)
    pid = pid_of(journal.state)
    assert until(lambda: launch.status(journal.state) is None)
    assert PATH.read_text() == before
    assert journal.entries() == []
    assert journal.active() is None
    assert events(journal)[-1] == "restored at the deadline"
    assert until(lambda: not Path(f"/proc/{pid}/fd/3").exists())


def test_it_holds_a_kept_lease_once_and_is_small(journal: Journal, value: dict[str, str]) -> None:
    keep(journal, value, 60, lease=True)
    pid = pid_of(journal.state)
    assert leases(pid) == 1
    assert leases(os.getpid()) == 0
    status = read_status(journal)
    assert status.state == "active"
    assert {s.state for s in status.settings} == {"in force"}
    assert status.watchdog_bytes is not None
    assert status.watchdog_bytes <= 20e6


def test_keep_prolongs_without_another_watchdog(journal: Journal, value: dict[str, str]) -> None:
    keep(journal, value, 60)
    pid, deadline = pid_of(journal.state), journal.active()
    prolonged = prolong(journal, 600)
    assert deadline is not None
    assert (prolonged.deadline or 0) > (deadline.deadline or 0) + 500
    assert pid_of(journal.state) == pid
    assert PATH.read_text().strip() == value[KNOB.id]


def test_it_rereads_its_orders_on_sighup(journal: Journal, value: dict[str, str]) -> None:
    keep(journal, value, 60)
    running = launch.status(journal.state)
    assert running is not None
    os.kill(running.pid, signal.SIGHUP)
    assert until(lambda: (launch.status(journal.state) or running).generation > running.generation)


def test_it_restores_when_it_is_asked_to_end(journal: Journal, value: dict[str, str]) -> None:
    before = PATH.read_text()
    keep(journal, value, 60)
    os.kill(pid_of(journal.state), signal.SIGTERM)
    assert until(lambda: launch.status(journal.state) is None)
    assert PATH.read_text() == before


def test_asked_to_end_beside_a_tuner_it_leaves_the_record(journal: Journal, value: dict[str, str]) -> None:
    with tuning(journal), Change(journal, KNOB, [value]) as change:
        change.set(0)
        os.kill(pid_of(journal.state), signal.SIGTERM)
        assert until(lambda: launch.status(journal.state) is None)
        assert [entry.knob for entry in journal.entries()] == [KNOB.id]


def test_it_restores_under_damaged_orders(journal: Journal, value: dict[str, str]) -> None:
    before = PATH.read_text()
    keep(journal, value, 2)
    journal.state.write(ACTIVE, b"\xff torn")
    os.kill(pid_of(journal.state), signal.SIGHUP)
    assert until(lambda: launch.status(journal.state) is None)
    assert PATH.read_text() == before


@pytest.mark.parametrize("way", ["revert", "undo.sh"])
def test_a_value_of_someone_else_is_left_alone_and_named(journal: Journal, value: dict[str, str], way: str) -> None:
    before = PATH.read_text()
    theirs = str(int(before) * 4)
    keep(journal, value, 60)
    PATH.write_text(theirs)
    (setting,) = read_status(journal).settings
    said = undone.render(revert(journal)) if way == "revert" else undo(journal).stdout
    now = PATH.read_text().strip()
    PATH.write_text(before)
    assert setting.state == "changed by someone else"
    assert now == theirs
    assert "left alone" in said
    assert theirs in said


def test_a_killed_watchdog_is_named_and_replaced(journal: Journal, value: dict[str, str]) -> None:
    keep(journal, value, 60)
    os.kill(pid_of(journal.state), signal.SIGKILL)
    assert until(lambda: launch.status(journal.state) is None)
    if not launch.systemd():
        assert any("ipctune keep" in problem for problem in read_status(journal).problems)
    prolong(journal, 60)
    assert launch.status(journal.state) is not None


def test_undo_sh_alone_restores_with_cat_and_nothing_else(
    journal: Journal, value: dict[str, str], tmp_path: Path
) -> None:
    before = PATH.read_text()
    keep(journal, value, 60)
    os.kill(pid_of(journal.state), signal.SIGKILL)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/cat").symlink_to(shutil.which("cat") or "/bin/cat")
    shutil.copytree(journal.state.path, tmp_path / "elsewhere")
    done = subprocess.run(
        ["/bin/sh", tmp_path / "elsewhere" / UNDO],
        env={"PATH": str(tmp_path / "bin")},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert PATH.read_text() == before


def test_it_goes_on_when_the_sources_are_gone(journal: Journal, value: dict[str, str], tmp_path: Path) -> None:
    before = PATH.read_text()
    copy = tmp_path / "clone"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"""
from ipctune.journal.change import Change
from ipctune.journal.session import tuning
from ipctune.journal.store import open_journal
from ipctune.knobs.registry import KNOBS
from ipctune.report import undone
journal, knob = open_journal(), KNOBS[{KNOB.id!r}]
with tuning(journal) as session:
    with Change(journal, knob, [{value!r}]) as change:
        change.keep(0)
        session.keep(knob, {value!r})
    session.hold_until(1.5, "test")
"""
    environment = {"PYTHONPATH": str(copy), "IPCTUNE_STATE": str(journal.state.path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    shutil.rmtree(copy)
    assert until(lambda: launch.status(journal.state) is None)
    assert PATH.read_text() == before
    assert events(journal)[-1] == "restored at the deadline"


def test_a_watchdog_that_does_not_start_means_that_nothing_is_changed(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_interpreter", lambda: Path("/bin/false"))
    monkeypatch.setattr(launch, "systemd", lambda: False)
    before = PATH.read_text()
    with pytest.raises(NotPossible, match="nothing was changed"), tuning(journal):
        pass
    assert PATH.read_text() == before
    assert journal.active() is None
