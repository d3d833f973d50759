"""Torn, altered and forged files: a clear error, never a wrong value, and the sound ones go on."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.journal.make import journal_in, make_entry, state_in

from ipctune.errors import NotPossible
from ipctune.journal import launch
from ipctune.journal.entry import checksum, parse, serialise
from ipctune.journal.status import read_status
from ipctune.journal.store import ACTIVE, UNDO, Active, Hold, Journal
from ipctune.journal.watchdog import STATUS

NAME = "journal/kernel.msgmax.json"
WHOLE = serialise(make_entry())
ORDERS = Active(tuner=7, tuner_start=9, holds=(Hold("cpu-dma-latency", {"latency_us": "0"}),), deadline=1234.5)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def test_an_entry_comes_back_as_it_was_written() -> None:
    assert parse(WHOLE, NAME) == make_entry()


@given(st.integers(0, 8 * len(WHOLE) - 1))
def test_one_flipped_bit_is_noticed(bit: int) -> None:
    try:
        entry = parse(flipped(WHOLE, bit), NAME)
    except NotPossible:
        return
    assert entry == make_entry(), "white space, or an escape for the same letter"


@given(st.integers(0, len(WHOLE) - 2))
def test_a_torn_entry_is_noticed(length: int) -> None:
    with pytest.raises(NotPossible, match=r"can't be trusted"):
        parse(WHOLE[:length], NAME)


@given(st.binary(max_size=600))
def test_no_bytes_are_an_internal_error(data: bytes) -> None:
    with pytest.raises(NotPossible):
        parse(data, NAME)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(WHOLE))), JSON)
def test_a_forged_field_with_a_right_checksum_is_an_entry_or_an_error(field: str, value: object) -> None:
    fields = {name: text for name, text in json.loads(WHOLE).items() if name != "crc32"} | {field: value}
    fields.pop("crc32", None)
    try:
        entry = parse(json.dumps({**fields, "crc32": checksum(fields)}).encode(), NAME)
    except NotPossible:
        return
    assert entry.knob == "kernel.msgmax"


def test_nesting_without_an_end_is_an_error() -> None:
    with pytest.raises(NotPossible):
        parse(b"[" * 100_000, NAME)


@pytest.mark.parametrize("knob", ["kernel.core_pattern", "../../../etc/passwd", ""])
def test_an_entry_for_a_knob_that_we_do_not_have_is_refused(knob: str, tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.state.write(NAME, serialise(replace(make_entry(), knob=knob)))
    with pytest.raises(NotPossible, match="there is no knob"):
        journal.entries()


def test_an_entry_under_the_name_of_another_knob_is_refused(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.state.write("journal/kernel.msgmnb.json", WHOLE)
    with pytest.raises(NotPossible, match=r"it speaks of 'kernel\.msgmax'"):
        journal.entries()


def test_a_part_that_the_knob_does_not_have_is_never_written(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    forged = replace(make_entry(), original={"/proc/sys/kernel/core_pattern": "|/tmp/x"})
    journal.state.write(NAME, serialise(forged))
    (part,) = journal.restore_all("test")
    assert not part.done
    assert "not there" in part.why
    assert "core_pattern" not in (journal.state.read(UNDO) or b"").decode()


def test_sound_entries_are_told_apart_from_damaged_ones(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.put(make_entry())
    script = journal.state.read(UNDO)
    journal.state.write("journal/kernel.msgmnb.json", b'{"knob": "kernel.msgmnb", "original"')
    good, bad = journal.sound_entries()
    assert [entry.knob for entry in good] == ["kernel.msgmax"]
    assert ["kernel.msgmnb" in error.what for error in bad] == [True]
    journal.refresh_script()
    assert journal.state.read(UNDO) == script, "it may know what the damaged entry no longer tells"
    with pytest.raises(NotPossible, match=r"kernel\.msgmnb"):
        journal.open("fs.pipe-max-size", {"fs.pipe-max-size": "1"}, [{"fs.pipe-max-size": "2"}])


def test_an_entry_that_is_closed_while_we_look_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = journal_in(tmp_path)
    monkeypatch.setattr("ipctune.host.state.State.names", lambda *_: [NAME])
    assert journal.entries() == []
    assert journal.sound_entries() == ([], [])


def _orders_in(data: bytes) -> Active | None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(state_in(Path(folder)))
        journal.state.write(ACTIVE, data)
        return journal.active()


def test_orders_come_back_as_they_were_written(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.set_active(ORDERS)
    assert journal.active() == ORDERS


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4000), st.binary(max_size=200), st.sampled_from(["flip", "tear", "bytes"]))
def test_damaged_orders_are_an_error_or_the_same_orders(place: int, data: bytes, how: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(state_in(Path(folder)))
        journal.set_active(ORDERS)
        whole = journal.state.read(ACTIVE) or b""
    damaged = {"flip": flipped(whole, place), "tear": whole[: place % (len(whole) - 1)], "bytes": data}[how]
    try:
        orders = _orders_in(damaged)
    except NotPossible:
        return
    assert orders == ORDERS


def test_orders_for_a_lease_that_we_do_not_have_are_refused() -> None:
    fields = {"holds": [{"knob": "haltpoll", "value": {}}]}
    with pytest.raises(NotPossible, match="names a lease"):
        _orders_in(json.dumps({**fields, "crc32": checksum(fields)}).encode())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_damaged_watchdog_file_means_that_none_runs(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = state_in(Path(folder))
        state.write(STATUS, data)
        assert launch.status(state) is None


@given(st.lists(st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()), max_size=6))
@settings(max_examples=60, deadline=None)
def test_damaged_lines_of_the_log_are_left_out(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(state_in(Path(folder)))
        for line in lines:
            journal.state.append("log.jsonl", line)
        journal.note("kept", knob="haltpoll")
        assert journal.log()[-1]["event"] == "kept"
        assert all("event" in line for line in journal.log())


def test_a_torn_last_line_of_the_log_does_not_spoil_the_next(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.note("one")
    with (journal.state.path / "log.jsonl").open("ab") as file:
        file.write(b'{"time": 1')
    journal.note("two")
    assert [line["event"] for line in journal.log()] == ["one", "two"]


@pytest.mark.parametrize(
    "fields",
    [
        {"holds": [], "kept": {"of a newer version": {"a": "1"}}},
        {"holds": [], "kept": {"kernel.msgmax": "65536"}},
        {"holds": [], "kept": []},
        {"holds": [], "deadline": "tomorrow"},
    ],
)
def test_orders_that_keep_what_we_do_not_have_are_refused_and_shown(tmp_path: Path, fields: dict[str, object]) -> None:
    journal = journal_in(tmp_path)
    journal.state.write(ACTIVE, json.dumps({**fields, "crc32": checksum(fields)}).encode())
    with pytest.raises(NotPossible) as error:
        journal.active()
    assert error.value.hint == "ipctune revert"
    assert error.value.what in read_status(journal).problems
