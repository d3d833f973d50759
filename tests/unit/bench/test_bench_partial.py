"""A run on its way: all of it is on the disk, a torn line costs one block, damage and another machine are refused."""

import dataclasses
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.bench.fake import block, write_core
from tests.unit.bench.test_bench_curve import NOBODY, made

from ipctune.bench import partial
from ipctune.bench.limits import TAKES_S
from ipctune.bench.machine import Here, changed
from ipctune.bench.matrix import BenchResult, RefusedCell
from ipctune.bench.partial import Partial, begin, load
from ipctune.bench.predict import wake_cost
from ipctune.bench.session import Request, go_on, prepare
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible
from ipctune.host.state import State, open_state

HERE = Here("boot", "core", (0, 1), {"kernel": "6.1", "root": "yes"})


@pytest.fixture
def state(tmp_path: Path) -> State:
    found = open_state(tmp_path / "state")
    assert found is not None
    return found


@pytest.fixture
def core(tmp_path: Path) -> Path:
    return write_core(tmp_path)


def begun(state: State, core: Path, **asked: object) -> Partial:
    request = Request(**{"patterns": ("ping-pong",), "placements": ("same",), "sizes": (64, 4096), **asked})  # type: ignore[arg-type]
    return begin(state, prepare(request, core=core).begun(HERE))


def filled(state: State, core: Path) -> Partial:
    kept = begun(state, core)
    first, second, third, *_ = kept.begun.plan.cells
    kept.keep_wake(wake_cost(made(NOBODY)))
    for at, spec in enumerate((first, second, first)):
        found = block(spec)
        kept.measured.add(found, float(at))
        kept.keep(found, float(at))
    kept.keep(RefusedCell(third, "too long", "EMSGSIZE", "kernel.msgmax"), 3.0)
    return kept


def test_what_was_put_down_is_read_back(state: State, core: Path) -> None:
    kept = filled(state, core)
    again = load(state, None)
    assert (again.name, again.begun, again.wake, again.dropped) == (kept.name, kept.begun, kept.wake, False)
    assert {spec: blocks for spec, blocks in again.measured.blocks.items() if blocks} == kept.measured.blocks
    assert again.measured.at == kept.measured.at
    assert again.measured.refused[kept.begun.plan.cells[2]].limit == "kernel.msgmax"
    assert (state.path / f"partial/{kept.name}.000").stat().st_mode & 0o777 == 0o600
    assert (state.path / "partial").stat().st_mode & 0o777 == 0o700


def test_a_torn_last_line_is_dropped_wherever_it_was_torn(state: State, core: Path) -> None:
    name = f"partial/{filled(state, core).name}.000"
    whole = state.read(name) or b""
    lines = whole.splitlines(keepends=True)
    last = len(lines[-1])
    for cut in range(1, last):
        state.write(name, whole[:-cut])
        again = load(state, None)
        assert again.dropped
        assert again.measured.refused == {}
        assert again.measured.count == 3
        assert state.read(name) == whole[:-last]


def test_what_is_measured_after_a_torn_line_is_whole(state: State, core: Path) -> None:
    name = f"partial/{filled(state, core).name}.000"
    state.write(name, (state.read(name) or b"")[:-5])
    again = load(state, None)
    found = block(again.begun.plan.cells[3])
    again.keep(found, 9.0)
    assert load(state, None).measured.at[found.spec] == [9.0]


def test_many_blocks_are_several_files(state: State, core: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "_PART_BYTES", 3000)
    kept = begun(state, core)
    for at in range(20):
        kept.keep(block(kept.begun.plan.cells[0]), float(at))
    assert len(state.names("partial")) > 3
    assert partial.names(state) == [kept.name]
    again = load(state, kept.name)
    assert again.measured.at[kept.begun.plan.cells[0]] == [float(at) for at in range(20)]
    again.keep(block(kept.begun.plan.cells[0]), 20.0)
    assert load(state, None).measured.count == 21
    again.remove()
    assert state.names("partial") == []


def test_only_the_newest_stay(state: State, core: Path) -> None:
    kept = begun(state, core)
    for second in range(5):
        begin(state, dataclasses.replace(kept.begun, started=f"2020-01-02T03:04:0{second}Z"))
    assert [name[-3:-1] for name in partial.names(state)] == ["03", "04", kept.name[-3:-1]]


def test_no_run_to_go_on_with(state: State, core: Path) -> None:
    for name in (None, "bench-2020", "../../etc/passwd"):
        with pytest.raises(NotPossible, match="no run to go on with"):
            load(state, name)
    with pytest.raises(NotPossible, match="no run"):
        load(None, None)
    kept = begun(state, core)
    with pytest.raises(NotPossible) as caught:
        load(state, "bench-2020")
    assert kept.name in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [b"{}", b"null", b"[]", b'{"cell": 99, "block": {}}', b'{"cell": 0, "block": {}}', b"garbage", b'{"cell": 0}'],
)
def test_a_damaged_line_is_named(state: State, core: Path, line: bytes) -> None:
    kept = filled(state, core)
    state.append(f"partial/{kept.name}.000", line)
    with pytest.raises(NotPossible, match="damaged") as caught:
        load(state, None)
    assert "remove it" in caught.value.hint


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), junk=st.binary(max_size=40))
def test_whatever_is_in_it_the_answer_is_a_run_or_a_clear_error(state: State, core: Path, at: int, junk: bytes) -> None:
    kept = filled(state, core) if not partial.names(state) else None
    name = "partial/fuzz"
    source = state.read(name) if kept is None else state.read(f"partial/{kept.name}.000")
    if kept is not None:
        state.write(name, source or b"")
    data = source or b""
    at %= len(data)
    file = f"partial/{partial.names(state)[-1]}.000"
    state.write(file, data[:at] + junk + data[at + len(junk) :])
    with suppress(NotPossible):
        load(state, None)


@pytest.mark.parametrize("stop", [1, 3, 5, 9])
def test_ctrl_c_and_on_again_measures_every_cell(state: State, core: Path, stop: int) -> None:
    session = prepare(Request(placements=("same",), sizes=(64, 4096), seconds=None), core=core)
    kept = begin(state, session.begun(HERE))
    left = iter(range(stop))

    def tick() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    first = session.run(core=core, tick=tick, partial=kept)
    assert first.interrupted
    second = go_on(load(state, None), None).run(core=core)
    assert not second.interrupted
    assert second.started == first.started
    assert {row.spec for row in second.rows} == set(session.plan.cells)
    assert {row.blocks for row in second.rows} == {5}
    assert all(len({at for at, _ in row.figures}) == 5 for row in second.rows)
    assert isinstance(second, BenchResult)


def test_a_time_that_is_used_up_asks_for_more(state: State, core: Path) -> None:
    kept = begun(state, core, seconds=10.0)
    kept.measured.spent_s = 10.0
    with pytest.raises(NotPossible, match="used up"):
        go_on(kept, None)
    more = go_on(kept, 60.0)
    assert more.plan.budget_s == 70.0
    assert more.estimate_s == pytest.approx(60.0 + TAKES_S)


def test_a_full_disk_ends_the_keeping_and_not_the_run(
    state: State, core: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = begun(state, core)

    def full(*_: object) -> None:
        raise NotPossible("no space left")

    monkeypatch.setattr(State, "append", full)
    kept.keep(block(kept.begun.plan.cells[0]), 0.0)
    assert kept.lost == "no space left"
    kept.keep(block(kept.begun.plan.cells[0]), 0.0)


def test_what_has_changed_is_said() -> None:
    assert changed(HERE, HERE) == []
    now = Here("other", "rebuilt", (0,), {"kernel": "6.2", "root": "yes"})
    assert changed(HERE, now) == [
        "kernel: 6.1 -> 6.2",
        "it was booted again",
        "another measuring core",
        "other vCPUs: 0-1 -> 0",
    ]


def test_lines_are_json_for_others_to_read(state: State, core: Path) -> None:
    kept = filled(state, core)
    lines = [json.loads(line) for line in (state.read(f"partial/{kept.name}.000") or b"").splitlines()]
    assert lines[0]["plan"]["cells"][0]["mechanism"] == "pipe"
    assert [set(line) & {"wake", "block", "refused"} for line in lines[1:]] == [
        {"wake"},
        {"block"},
        {"block"},
        {"block"},
        {"refused"},
    ]
    assert isinstance(kept.begun.plan.cells[0], Spec)
