"""Everything back: what one step says stops no other, and another state folder's commit is not ours to remove."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.unit.journal.make import journal_in, make_entry

from ipctune.errors import NotPossible
from ipctune.host.state import State
from ipctune.journal import launch, pid1, putback, restore, session
from ipctune.journal.entry import Phase
from ipctune.journal.machine import boot_id
from ipctune.journal.restore import Restored, Result
from ipctune.journal.session import guarded, revert
from ipctune.journal.store import ACTIVE, Active, Journal
from ipctune.journal.watchdog import _Watchdog
from ipctune.knobs.model import Part
from ipctune.knobs.module import ModulePart
from ipctune.knobs.registry import KNOBS

MSGMAX = "kernel.msgmax"
FILES = ["/etc/sysctl.d/90-ipctune.conf"]


class Fake:
    """A part that reads what was written to it."""

    def __init__(self, text: str | None, where: str = "/proc/sys/kernel/msgmax") -> None:
        self.text, self.where = text, where

    def read(self) -> str | None:
        return self.text

    def write(self, text: str) -> None:
        self.text = text

    def undo_lines(self, original: str, ours: object) -> list[str]:
        return []


class Broken(Fake):
    """A part whose write ends in what nobody foresaw."""

    def write(self, text: str) -> None:
        raise RuntimeError("a bug")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Fake]]:
    """What the knobs of these tests are made of."""
    found: dict[str, dict[str, Fake]] = {
        MSGMAX: {MSGMAX: Fake("65536")},
        "kernel.msgmnb": {"kernel.msgmnb": Fake("65536")},
    }
    for knob, made in found.items():
        monkeypatch.setitem(KNOBS, knob, replace(KNOBS[knob], parts=partial(dict[str, Part], made)))
    return found


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Each time that the files of a commit were removed."""
    times: list[list[str]] = []

    def remove() -> list[str]:
        times.append(FILES)
        return FILES

    monkeypatch.setattr(putback, "remove_files", remove)
    return times


@pytest.fixture
def journal(tmp_path: Path, parts: Mapping[str, object]) -> Journal:
    return journal_in(tmp_path)


def kept(journal: Journal, phase: Phase = Phase.KEPT) -> None:
    journal.put(replace(make_entry(), phase=phase, kept=0))


def committed(journal: Journal) -> None:
    kept(journal, Phase.COMMITTED)
    journal.set_active(Active(boot_id=boot_id(), committed=True, kept={MSGMAX: {MSGMAX: "65536"}}))


@pytest.mark.parametrize("event", ["revert", "watchdog"])
def test_a_commit_of_another_state_folder_stays(journal: Journal, removed: list[list[str]], event: str) -> None:
    kept(journal)
    revert(journal) if event == "revert" else _Watchdog(journal).restore("test")
    assert removed == []
    assert journal.entries() == []


@pytest.mark.parametrize("event", ["revert", "watchdog"])
@pytest.mark.parametrize("orders", ["committed", "damaged", "none but an entry"])
def test_a_commit_of_our_own_goes(journal: Journal, removed: list[list[str]], orders: str, event: str) -> None:
    committed(journal)
    if orders == "damaged":
        journal.state.write(ACTIVE, b"torn")
    elif orders != "committed":
        journal.set_active(None)
    revert(journal) if event == "revert" else _Watchdog(journal).restore("test")
    assert removed == [FILES]
    assert journal.active() is None
    assert journal.entries() == []


def test_a_full_disk_at_revert_leaves_no_boot_file(
    journal: Journal, parts: Mapping[str, Mapping[str, Fake]], removed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(journal)
    ended: list[str] = []
    monkeypatch.setattr(launch, "end", lambda _: ended.append("watchdog"))
    monkeypatch.setattr(State, "append", _full)
    monkeypatch.setattr(State, "write", _full)
    with pytest.raises(NotPossible, match="restored, but not written down") as error:
        revert(journal)
    assert "`ipctune revert` closes the record" in error.value.hint
    assert parts[MSGMAX][MSGMAX].text == "8192"
    assert removed == [FILES]
    assert ended == ["watchdog"]
    assert journal.active() is None


def _full(*_: object, **__: object) -> None:
    raise NotPossible("No space left on device")


def test_a_revert_that_could_not_remove_the_files_is_no_finished_commit(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command goes on with it: the orders still say whose files these are."""
    committed(journal)

    def refuse() -> list[str]:
        raise NotPossible("of a commit, can't be removed")

    monkeypatch.setattr(putback, "remove_files", refuse)
    with pytest.raises(NotPossible, match="can't be removed"):
        revert(journal)
    active = journal.active()
    assert active is not None
    journal.set_active(replace(active, tuner_start=(active.tuner_start + 1)))  # that process is gone
    monkeypatch.setattr(putback, "remove_files", lambda: FILES)
    outcomes = session.recover(journal)
    assert [part.where for part in outcomes] == FILES
    assert journal.active() is None


def test_what_nobody_foresaw_in_one_entry_keeps_no_other_from_its_original(
    journal: Journal, parts: dict[str, dict[str, Fake]]
) -> None:
    parts["kernel.msgmnb"]["kernel.msgmnb"] = Broken("65536")
    kept(journal)
    journal.put(replace(make_entry("kernel.msgmnb"), phase=Phase.KEPT, kept=0))
    found = {part.knob: part for part in journal.restore_all("test")}
    assert found["kernel.msgmnb"].result is Result.FAILED
    assert "a bug" in found["kernel.msgmnb"].why
    assert parts[MSGMAX][MSGMAX].text == "8192"
    assert [entry.knob for entry in journal.entries()] == ["kernel.msgmnb"], "its original is still known"


@pytest.mark.parametrize("error", [subprocess.TimeoutExpired("rmmod", 30), PermissionError(13, "denied")])
def test_a_module_that_does_not_answer_is_an_error_to_act_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(NotPossible, match="rmmod"):
        ModulePart("cpuidle_haltpoll", path="/bin:/usr/bin:/sbin:/usr/sbin")._call("rmmod", "cpuidle_haltpoll")


@pytest.mark.parametrize(("part", "result"), [(None, Result.HISTORY), (Fake(None, "/proc/sys/gone"), Result.HISTORY)])
def test_a_committed_setting_that_a_new_kernel_lacks_is_history(
    journal: Journal, parts: dict[str, dict[str, Fake]], removed: list[list[str]], part: Fake | None, result: Result
) -> None:
    committed(journal)
    (entry,) = journal.entries()
    journal.put(replace(entry, boot_id="of an earlier one"))
    parts[MSGMAX].clear()
    if part is not None:
        parts[MSGMAX][MSGMAX] = part
    assert [found.result for found in revert(journal)] == [result, Result.REMOVED]
    assert journal.entries() == []
    assert removed == [FILES]


def test_a_setting_that_vanished_within_this_boot_is_not_history(
    journal: Journal, parts: dict[str, dict[str, Fake]]
) -> None:
    kept(journal)
    parts[MSGMAX].clear()
    assert [part.result for part in restore.restore(journal.entries()[0])] == [Result.FAILED]


@contextmanager
def _systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    said: list[str] = []

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        said.append(" ".join(words))
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(pid1, "systemd", lambda: True)
    monkeypatch.setattr(pid1, "call", call)
    yield said


def test_no_state_folder_stops_or_replaces_the_timer_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, other = State(Path("/var/lib/ipctune")), State(tmp_path)
    with _systemd(monkeypatch) as said:
        pid1.clear_timer(usual)
        pid1.set_timer(other, 1.7e9)
    assert said[0] == "systemctl stop ipctune-deadline.timer"
    assert "--unit=ipctune-deadline-" in said[4]
    assert not [words for words in said[2:] if words.endswith("ipctune-deadline.timer")]


def test_a_new_run_stops_the_timer_that_a_restoring_watchdog_left(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(launch, "clear_timer", lambda _: said.append("timer stopped"))
    monkeypatch.setattr(launch, "start", lambda _: said.append("watchdog started"))
    with guarded(journal):
        assert said == ["timer stopped", "watchdog started"]


def test_what_could_not_be_put_back_comes_before_what_could_not_be_written(journal: Journal) -> None:
    undone = putback.Undone([Restored(MSGMAX, MSGMAX, "x", "1", "2", Result.FAILED, "EPERM")], [NotPossible("full")])
    with pytest.raises(NotPossible, match=r"could be put back: x \(EPERM\); full"):
        putback.complain(journal, undone)
