"""The plan: what is measured where, interleaved; Ctrl-C and failures keep the rest; saving."""

import json
from pathlib import Path

import pytest
from tests.unit.bench.fake import answer, block, write_core

from ipctune.bench import matrix, runs
from ipctune.bench.core import MechanismInfo
from ipctune.bench.decode import decode
from ipctune.bench.matrix import BenchResult, Measured, make_plan, placements, specs
from ipctune.bench.row import row_of
from ipctune.bench.session import Request, prepare
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible, WrongUse

INFOS = (
    MechanismInfo("pipe", "", "pipe(7)", True, None),
    MechanismInfo("odd", "", "odd(7)", False, None, patterns=("ping-pong",)),
)


def test_one_vcpu_has_one_placement() -> None:
    assert placements([3], None) == {"same": (3, 3)}
    with pytest.raises(WrongUse, match="second vCPU"):
        placements([3], "across")


def test_placements_use_allowed_vcpus_only() -> None:
    assert placements([5, 2, 7], None) == {"same": (2, 2), "across": (2, 5), "free": (-1, -1)}
    assert placements([2, 5], "2,5") == {"2,5": (2, 5)}
    for wrong in ("0,1", "a,b", "1"):
        with pytest.raises((WrongUse, KeyError)):
            placements([2, 5], wrong)


def test_cells_leave_out_what_does_not_exist() -> None:
    cells = specs(INFOS, {"same": (0, 0), "across": (0, 1)})
    assert len(cells) == 2 * 2 + 2
    assert not [c for c in cells if c.mechanism == "odd" and c.pattern == "stream"]


def test_the_plan_fills_the_budget() -> None:
    plan = make_plan(tuple(Spec(size=n) for n in range(1, 11)), 30.0)
    assert plan.rounds >= 3
    assert plan.estimate_s == pytest.approx(30, rel=0.2)
    assert make_plan(plan.cells, 0.1).block_s == matrix.LEAST_BLOCK_S


def test_cells_are_interleaved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def run(spec: Spec, seconds: float, seed: int, *, core: object = None) -> object:
        order.append(spec.mechanism)
        return block(spec)

    monkeypatch.setattr("ipctune.bench.core.run", run)
    cells = tuple(Spec(name) for name in "abcd")
    matrix.measure(matrix.Plan(cells, 3, 0.1), 1, Measured())
    assert [sorted(order[at : at + 4]) for at in (0, 4, 8)] == [list("abcd")] * 3
    assert len({tuple(order[at : at + 4]) for at in (0, 4, 8)}) > 1


def test_refused_and_failed_cells_do_not_end_the_run(tmp_path: Path) -> None:
    cells = tuple(Spec(name) for name in ("pipe", "refuse", "crash"))
    into = Measured()
    matrix.measure(matrix.Plan(cells, 2, 0.1), 1, into, core=write_core(tmp_path))
    assert [row.spec.mechanism for row in into.rows()] == ["pipe"]
    assert into.refused[cells[1]].limit == "kernel.msgmax"
    assert into.failed[cells[2]].failed
    assert "SIGKILL" in into.failed[cells[2]].what


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    session = prepare(Request(("pipe",), ("ping-pong",), seconds=5), core=write_core(tmp_path))
    left = iter(range(2))

    def tick() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    result = session.run(core=write_core(tmp_path), tick=tick)
    assert result.interrupted
    assert result.blocks == 3
    assert result.planned_blocks > 3


def test_unknown_names_are_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="carrier-pigeon"):
        prepare(Request(("carrier-pigeon",)), core=write_core(tmp_path))


def test_spoiled_blocks_give_way_to_good_ones() -> None:
    spec = Spec()
    stolen = answer()["machine"] | {"steal_ns": 10**8}
    fast = answer()["latency"] | {"p50": 4000, "min": 4000}
    rows = row_of(spec, [block(), block(machine=stolen, latency=fast)])
    assert (rows.blocks, rows.spoiled) == (2, 1)
    assert rows.p50_ns is not None
    assert rows.p50_ns.low == 5000
    only = row_of(spec, [block(machine=stolen, latency=fast)])
    assert only.p50_ns is not None
    assert only.p50_ns.median == 4000


def result() -> BenchResult:
    return BenchResult("2026-01-02T03:04:05Z", 1.0, 7, "6.1", 2, (row_of(Spec(), [block()]),))


def test_a_run_survives_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUNE_STATE", str(tmp_path / "state"))
    path = runs.save(result())
    assert path.stat().st_mode & 0o777 == 0o600
    assert runs.names() == [f"runs/{path.name}"]
    assert runs.load(runs.names()[0]) == result()
    assert decode(BenchResult, json.loads(runs.to_json(result()))) == result()


def test_old_runs_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    monkeypatch.setenv("IPCTUNE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(runs, "KEPT", 2)
    for second in range(4):
        runs.save(dataclasses.replace(result(), started=f"2026-01-02T03:04:0{second}Z"))
    assert [name[-8:-6] for name in runs.names()] == ["02", "03"]


def test_a_torn_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUNE_STATE", str(tmp_path / "state"))
    path = runs.save(result())
    path.write_text(path.read_text()[:50])
    with pytest.raises(NotPossible, match="not whole"):
        runs.load(runs.names()[0])
    with pytest.raises(NotPossible, match="no saved run"):
        runs.load("../../etc/passwd")


def test_copies_are_summed_up_over_blocks() -> None:
    told = ({"completions": 10, "copied": 7}, {"completions": 1, "copied": 1})
    row = row_of(Spec(), [block(zerocopy=one) for one in told])
    assert row.zerocopy is not None
    assert (row.zerocopy.completions, row.zerocopy.copied) == (11, 8)
    assert row_of(Spec(), [block()]).zerocopy is None


def test_a_cell_that_the_core_does_not_understand_is_refused_and_all_of_them_are_wrong_use(tmp_path: Path) -> None:
    core = write_core(tmp_path)
    into = Measured()
    cells = (Spec("misuse"), Spec("pipe"))
    matrix.measure(matrix.Plan(cells, 1, 0.1), 1, into, core=core)
    assert "no such mechanism" in into.refused[cells[0]].what
    assert [row.spec for row in into.rows()] == [cells[1]]
    with pytest.raises(WrongUse, match="no such mechanism"):
        matrix.measure(matrix.Plan(cells[:1], 1, 0.1), 1, Measured(), core=core)


def test_a_cell_without_a_message_fails_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(spec: Spec, seconds: float, seed: int, *, core: object = None) -> object:
        return block(spec, messages=0) if spec.size > 64 else block(spec)

    monkeypatch.setattr("ipctune.bench.core.run", run)
    into = Measured()
    cells = (Spec(size=16 << 20), Spec())
    matrix.measure(matrix.Plan(cells, 2, 0.1), 1, into)
    assert "no message went through" in into.failed[cells[0]].what
    assert len(into.blocks[cells[1]]) == 2


def test_each_block_is_handed_on_as_it_comes(tmp_path: Path) -> None:
    kept: list[object] = []
    cells = (Spec("pipe"), Spec("refuse"))
    into = Measured()
    matrix.measure(
        matrix.Plan(cells, 2, 0.1), 1, into, core=write_core(tmp_path), keep=lambda found, _: kept.append(found)
    )
    assert len(kept) == 3
    assert into.unreached((*cells, Spec("late"))) == (Spec("late"),)
    row = into.rows()[0]
    assert [figure for _, figure in row.figures] == [5000.0, 5000.0]
    assert row.figures[0][0] < row.figures[1][0]
