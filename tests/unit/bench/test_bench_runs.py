"""Runs by the names that a user types; whatever else a file holds is a clear error, and steers no terminal."""

import dataclasses
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.bench.test_bench_report import result

from ipctune.bench import runs
from ipctune.bench.compare import compare
from ipctune.errors import NotPossible

WHOLE = runs.to_json(result())


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUNE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def saved(second: int, **changes: object) -> str:
    run = dataclasses.replace(result(), started=f"2026-01-02T03:04:0{second}Z", **changes)  # type: ignore[arg-type]
    return str(runs.save(run))


def test_names_that_find_a_run() -> None:
    first, second = saved(1), saved(2)
    saved(3, rows=())  # the curve alone
    for text, wanted in (
        ("latest", second),
        ("previous", first),
        (first, first),
        (Path(first).name, first),
        (f"runs/{Path(first).name}", first),
        (Path(first).stem, first),
    ):
        name, run = runs.find(text)
        assert name == Path(wanted).stem
        assert run == runs.read(Path(wanted))
    assert runs.short_names()[:2] == ["latest", "previous"]
    assert runs.short_names()[3] == Path(second).stem


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(NotPossible, match="no saved run: no latest"):
        runs.find("latest")
    saved(1)
    with pytest.raises(NotPossible, match="one saved run only: no previous"):
        runs.find("previous")
    with pytest.raises(NotPossible, match="no saved run runs/bench-2020"):
        runs.find("bench-2020")
    with pytest.raises(NotPossible, match="can't be read: No such file"):
        runs.find("nothing.json")
    with pytest.raises(NotPossible, match="can't be read"):
        runs.find("\0")


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", ".", "/dev/zero"):
        with pytest.raises(NotPossible, match="can't be read"):
            runs.find(name)


def test_too_large_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_LARGEST", 100)
    (tmp_path / "x").write_text(WHOLE)
    with pytest.raises(NotPossible, match="too large"):
        runs.find("x")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", "1", '"x"', "NaN", "[" * 100_000, WHOLE[:-1], '{"a":' * 10_000, "\ufeff{}"),
        WHOLE.replace('"pattern": "ping-pong"', '"pattern": "pigeon"', 1),
        WHOLE.replace('"size": 64', '"size": 0', 1),
        WHOLE.replace('"seconds": 18.0', '"seconds": "18"', 1),
        WHOLE.replace('"rows": [', '"rows": [7, ', 1),
    ],
)
def test_foreign_and_corrupt_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(NotPossible, match=r"x\.json is no run of ipctune bench"):
        runs.find("x.json")


@pytest.mark.parametrize("wrong", [0.0, -1.0])
def test_figures_that_can_not_be_compared_are_refused(tmp_path: Path, wrong: float) -> None:
    said = json.loads(WHOLE)
    said["rows"][0]["figures"] = [[0.0, wrong]]
    (tmp_path / "x").write_text(json.dumps(said))
    with pytest.raises(NotPossible, match=r"rows\[0\]: a figure is"):
        runs.find("x")
    said["rows"][0]["figures"] = []
    said["rows"][0]["kind"] = None
    (tmp_path / "x").write_text(json.dumps(said))
    with pytest.raises(NotPossible, match="don't fit together"):
        runs.find("x")


def test_nothing_in_a_file_steers_a_terminal(tmp_path: Path) -> None:
    from ipctune.report.bench import render
    from ipctune.report.compare import render_compare
    from ipctune.report.style import PLAIN

    said = json.loads(WHOLE)
    said["kernel"] = "\x1b[2J6.1"
    said["rows"][0]["spec"]["mechanism"] = "pi\x1b]0;pe\ud800"
    said["machine"] = {"a\x07": "\x1b[31m"}
    (tmp_path / "x\x1b[2J").write_text(json.dumps(said))
    name, run = runs.find("x\x1b[2J")
    other = dataclasses.replace(run, machine={})
    for text in (name, render(run, PLAIN), render_compare(compare(run, other, (name, name)), everything=True)):
        assert "\x1b" not in text
        assert text.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in places(item, (*path, key)))]


PLACES = [place for place in places(json.loads(WHOLE)) if place]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_value_anywhere_is_a_run_that_can_be_compared_or_a_clear_error(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    said = json.loads(WHOLE)
    inner = said
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / "x").write_text(json.dumps(said))
    with suppress(NotPossible):
        _, run = runs.find("x")
        compare(run, runs.parse(WHOLE))
        compare(runs.parse(WHOLE), run)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_clear_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(NotPossible, match="is no run"):
        runs.find("x")
