"""One knob's change: what someone else sets is left alone, also before our first write."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.unit.journal.make import journal_in

from ipctune.journal.change import Change, Interference
from ipctune.journal.restore import Result
from ipctune.journal.store import UNDO, Journal
from ipctune.knobs.files import ALLOWED, FilePart
from ipctune.knobs.model import Cause, Kind, Knob, Scope
from ipctune.knobs.registry import KNOBS


@pytest.fixture
def knob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Knob:
    """A knob of two files of this test's own."""
    parts = {name: FilePart(str(tmp_path / name)) for name in ("one", "two")}
    made = Knob(
        id="made",
        title="made for a test",
        kind=Kind.FILES,
        scope=Scope.HOST,
        helps=frozenset[Cause](),
        candidates=lambda *_: (),
        why_not=lambda _: "",
        price="",
        reach="",
        source="",
        parts=lambda: parts,
    )
    monkeypatch.setitem(KNOBS, "made", made)
    for part in parts.values():
        Path(part.path).write_text("1000")
        monkeypatch.setitem(ALLOWED, part.path, re.compile(re.escape(part.path)))
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return journal_in(tmp_path)


def test_a_value_that_someone_set_between_the_record_and_our_first_write_stays(
    journal: Journal, knob: Knob, tmp_path: Path
) -> None:
    value = {"one": "2000", "two": "2000"}
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Interference, match="7777"))
        change = stack.enter_context(Change(journal, knob, [value, {"one": "3000"}]))
        (tmp_path / "two").write_text("7777")
        change.set(0)
    assert (tmp_path / "one").read_text() == "1000", "what was written of it is back"
    found = {part.part: part.result for part in journal.restore_all("test")}
    assert found == {"one": Result.ALREADY, "two": Result.CHANGED}
    assert (tmp_path / "two").read_text() == "7777"


def test_undo_sh_leaves_it_alone_too(journal: Journal, knob: Knob, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Interference))
        change = stack.enter_context(Change(journal, knob, [{"two": "2000"}]))
        (tmp_path / "two").write_text("7777")
        change.set(0)
    script = (journal.state.read(UNDO) or b"").decode()
    assert f"restore {tmp_path}/two 1000\n" in script
    assert "--any" not in script.partition("end_watchdog\n")[2]


def test_a_foreign_value_between_two_candidates_is_noticed(journal: Journal, knob: Knob, tmp_path: Path) -> None:
    """The second one was never written: that must not make any value count as ours."""
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Interference))
        change = stack.enter_context(Change(journal, knob, [{"one": "2000"}, {"one": "3000"}]))
        change.set(0)
        change.unset()
        (tmp_path / "one").write_text("7777")
        change.set(1)
    assert (tmp_path / "one").read_text() == "7777"


def test_it_is_not_tried_again_without_a_record(journal: Journal, knob: Knob, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(Interference))
        change = stack.enter_context(Change(journal, knob, [{"one": "2000"}]))
        (tmp_path / "one").write_text("7777")
        with pytest.raises(Interference):
            change.set(0)
        (tmp_path / "one").write_text("1000")
        change.set(0)
    assert (tmp_path / "one").read_text() == "1000"


def test_several_values_after_one_another_are_ours(journal: Journal, knob: Knob, tmp_path: Path) -> None:
    with Change(journal, knob, [{"one": "2000"}, {"one": "3000"}]) as change:
        change.set(0)
        change.set(1)
        change.unset()
        change.set(0)
    assert (tmp_path / "one").read_text() == "1000"
    assert journal.entries() == []
