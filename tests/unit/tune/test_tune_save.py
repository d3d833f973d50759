"""Saved runs come back as they were; what is not whole is said, never guessed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.tune.made import proof, result, trial

from ipctune.errors import NotPossible
from ipctune.host.state import State, open_state
from ipctune.tune.model import Advice, Bottleneck, NotTried, Outcome, Refusal
from ipctune.tune.save import load, names, newest, save, to_json


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = open_state(tmp_path / "state")
    assert made is not None
    return made


FULL = result(
    bottlenecks=(Bottleneck("halted-wake", "waking", 0.9, 0.8, None, ("a", "b")),),
    refusals=(Refusal("msgsnd", "EINVAL", None, "too long"),),
    trials=(trial(Outcome.KEPT, idle_vcpus=0.0), trial(Outcome.REFUSED, loads=())),
    not_tried=(NotTried("x", "no time left", 22.5), NotTried("y", "why")),
    proof=proof(),
    kept={"haltpoll": {"guest_halt_poll_ns": "200000"}},
    until=1.7e9,
    advice=(Advice("bind them", "p50 -89 %"),),
    recovered=("/proc/sys/x: restored",),
    shown_within=0.05,
)


@pytest.mark.parametrize("made", [result(), FULL], ids=["empty", "full"])
def test_a_run_comes_back_as_it_was(state: State, made: object) -> None:
    assert made in (FULL, result())
    run = FULL if made == FULL else result()
    save(state, run)
    assert load(state, names(state)[0]) == run


def test_the_newest_twenty_stay(state: State) -> None:
    for day in range(1, 24):
        save(state, replace(result(), run=f"tune-202601{day:02}T000000Z"))
    assert len(names(state)) == 20
    assert names(state)[0] == "runs/tune-20260104T000000Z.json"
    found = newest(state)
    assert found is not None
    assert found.run == "tune-20260123T000000Z"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"version": 1}', b'{"run": "x"}', b"[" * 100_000]
)
def test_a_file_that_is_not_whole_is_named(state: State, text: bytes) -> None:
    state.write("runs/tune-20260101T000000Z.json", text)
    with pytest.raises(NotPossible, match=r"tune-20260101T000000Z\.json is not whole"):
        load(state, "runs/tune-20260101T000000Z.json")


@pytest.mark.parametrize("cut", [10, 200, 1000])
def test_a_torn_file_is_named(state: State, cut: int) -> None:
    state.write("runs/tune-20260101T000000Z.json", to_json(FULL).encode()[:-cut])
    with pytest.raises(NotPossible, match="is not whole"):
        load(state, "runs/tune-20260101T000000Z.json")


@pytest.mark.parametrize(
    ("field", "value"), [("kept", []), ("trials", {}), ("cpus", "2"), ("until", "soon"), ("settings", None)]
)
def test_a_field_of_another_kind_is_named(state: State, field: str, value: object) -> None:
    fields = json.loads(to_json(FULL)) | {field: value}
    state.write("runs/tune-20260101T000000Z.json", json.dumps(fields).encode())
    with pytest.raises(NotPossible, match=field):
        load(state, "runs/tune-20260101T000000Z.json")


def test_the_last_run_that_can_be_read_is_the_last(state: State) -> None:
    save(state, result())
    state.write("runs/tune-20991231T000000Z.json", b"{")
    assert newest(state) == result()


def test_without_runs_there_is_no_last(state: State) -> None:
    assert newest(state) is None
    assert names(state) == []


@pytest.mark.parametrize("name", ["runs/other.json", "journal/haltpoll.json", "runs/../active.json", "/etc/passwd"])
def test_only_runs_are_read(state: State, name: str) -> None:
    with pytest.raises(NotPossible, match="no saved run"):
        load(state, name)


def test_infinities_are_no_json() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json(replace(result(), shown_within=float("inf")))
