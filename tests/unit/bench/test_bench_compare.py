"""Two runs: equal ones are seldom told apart, a real change is, and what can't be known is not said."""

import dataclasses
import random
from functools import cache

import pytest
from tests.noise import blocks
from tests.unit.bench.fake import block

from ipctune.bench.compare import ALPHA, Comparison, compare
from ipctune.bench.matrix import BenchResult
from ipctune.bench.row import Range, Row, row_of
from ipctune.bench.spec import Spec
from ipctune.judge.verdict import Word

SIDES = (Word.BETTER, Word.WORSE)


@cache
def plain_row(spec: Spec) -> Row:
    return row_of(spec, [block(spec)])


def made(spec: Spec, figures: list[tuple[float, float]]) -> Row:
    values = sorted(figure for _, figure in figures)
    middle = Range(values[len(values) // 2], values[0], values[-1])
    row = dataclasses.replace(plain_row(spec), blocks=len(figures), figures=tuple(figures))
    if row.kind is None:
        return dataclasses.replace(row, messages_per_second=middle)
    return dataclasses.replace(row, p50_ns=middle)


def run_of(rows: list[Row], **changes: object) -> BenchResult:
    run = BenchResult("2026-01-02T03:04:05Z", 1.0, 7, "6.1", 2, tuple(rows))
    return dataclasses.replace(run, **changes)  # type: ignore[arg-type]


CELLS = tuple(Spec(f"m{at}", "ping-pong", cpus=(0, 0)) for at in range(20))


def noisy(rng: random.Random, rounds: int, effect: float = 0.0, cells: tuple[Spec, ...] = CELLS) -> BenchResult:
    """Every cell in each round, in another order, in one series of noise; `effect` is on every other cell."""
    order = [cell for _ in range(rounds) for cell in rng.sample(cells, len(cells))]
    slow = set(cells[::2])
    arms = "".join("B" if cell in slow else "A" for cell in order)
    figures: dict[Spec, list[tuple[float, float]]] = {cell: [] for cell in cells}
    for at, (cell, value) in enumerate(zip(order, blocks(rng, arms, effect), strict=True)):
        figures[cell].append((float(at), value * 1000))
    return run_of([made(cell, found) for cell, found in figures.items()])


def told(found: Comparison) -> bool:
    return any(cell.word in SIDES for cell in found.cells) or (
        found.overall is not None and found.overall.word in SIDES
    )


@pytest.mark.parametrize("rounds", [3, 12])
def test_equal_runs_are_seldom_told_apart(rounds: int) -> None:
    rng = random.Random(21)
    wrong = sum(told(compare(noisy(rng, rounds), noisy(rng, rounds))) for _ in range(100))
    assert wrong / 100 <= ALPHA + 0.02


def test_a_fifth_more_is_found_with_enough_blocks_and_by_few_not_denied() -> None:
    rng = random.Random(22)
    slow = [cell.mechanism for cell in CELLS[::2]]
    found, wrong, tries = 0, 0, 30
    for _ in range(tries):
        result = compare(noisy(rng, 40), noisy(rng, 40, 0.3))
        worse = [cell.spec.mechanism for cell in result.cells if cell.word is Word.WORSE]
        found += sum(name in slow for name in worse)
        wrong += sum(name not in slow for name in worse)
        assert not any(cell.word is Word.NO_DIFFERENCE for cell in result.cells if cell.spec.mechanism in slow)
    assert found / (tries * len(slow)) >= 0.8
    assert wrong == 0
    few = compare(noisy(rng, 3), noisy(rng, 3, 0.3))
    assert {cell.word for cell in few.cells} == {Word.UNDECIDED}
    assert all("too few blocks: 3 and 3" in cell.why for cell in few.cells)


def steady(spec: Spec, level: float, count: int = 12, first: int = 0) -> Row:
    return made(spec, [(float(first + at), level * (1 + 0.002 * (at % 5))) for at in range(count)])


CLOCK = [Spec("pipe", cpus=(0, 0)), Spec("tcp", cpus=(0, 0)), Spec("pipe", "stream", cpus=(0, 0))]


def test_a_fifth_is_told_on_a_steady_machine_and_more_messages_are_better() -> None:
    old = run_of([steady(spec, 5000.0) for spec in CLOCK])
    new = run_of([steady(CLOCK[0], 6000.0), steady(CLOCK[1], 5000.0), steady(CLOCK[2], 6000.0)])
    found = compare(old, new)
    assert [cell.word for cell in found.cells] == [Word.WORSE, Word.NO_DIFFERENCE, Word.BETTER]
    assert found.is_worse
    assert found.worse == 1
    assert found.family == 4
    worse = found.cells[0]
    assert worse.low is not None
    assert worse.high is not None
    assert 1 < worse.low <= worse.ratio <= worse.high
    back = compare(new, old)
    assert [cell.word for cell in back.cells] == [Word.BETTER, Word.NO_DIFFERENCE, Word.WORSE]


def test_a_change_below_the_least_is_never_called_one() -> None:
    old, new = run_of([steady(CLOCK[0], 5000.0, 40)]), run_of([steady(CLOCK[0], 5200.0, 40)])
    assert compare(old, new).cells[0].word is Word.NO_DIFFERENCE


def test_a_few_blocks_of_many_cells_tell_what_is_true_of_all() -> None:
    old = run_of([steady(cell, 5000.0, 3, 3 * at) for at, cell in enumerate(CELLS)])
    new = run_of([steady(cell, 6000.0, 3, 3 * at) for at, cell in enumerate(CELLS)])
    found = compare(old, new)
    assert {cell.word for cell in found.cells} == {Word.UNDECIDED}
    assert found.overall is not None
    assert found.overall.word is Word.WORSE
    assert found.is_worse


def test_a_run_too_short_to_know_its_own_level_decides_nothing() -> None:
    old, new = run_of([steady(CLOCK[0], 5000.0)]), run_of([steady(CLOCK[0], 9000.0)])
    found = compare(old, new)
    assert found.a.wander is None
    assert found.cells[0].word is Word.UNDECIDED
    assert "level moved" in found.cells[0].why
    assert found.overall is not None
    assert found.overall.word is Word.UNDECIDED


def test_numbers_of_vcpus_do_not_make_another_cell_and_placements_do() -> None:
    old = run_of([plain_row(Spec(cpus=(0, 1))), plain_row(Spec(cpus=(0, 0)))])
    new = run_of([plain_row(Spec(cpus=(4, 7))), plain_row(Spec("tcp", cpus=(4, 4)))])
    found = compare(old, new)
    assert [cell.placement for cell in found.cells] == ["across"]
    assert [spec.mechanism for spec in (*found.only_a, *found.only_b)] == ["pipe", "tcp"]


def test_differences_of_the_machines() -> None:
    old = run_of([], machine={"kernel": "6.1", "idle driver": "none", "same": "1"})
    new = run_of([], machine={"kernel": "6.2", "vCPU model": "EPYC", "same": "1"})
    found = compare(old, new)
    assert [(one.name, one.a, one.b) for one in found.differences] == [
        ("kernel", "6.1", "6.2"),
        ("idle driver", "none", None),
        ("vCPU model", None, "EPYC"),
    ]
    assert found.overall is None
    assert not found.is_worse


def test_runs_of_an_older_ipctune_have_no_figures_and_are_compared_as_far_as_can_be() -> None:
    bare = run_of([dataclasses.replace(plain_row(Spec(cpus=(0, 0))), figures=())])
    found = compare(bare, run_of([steady(Spec(cpus=(0, 0)), 5000.0)]))
    assert found.cells[0].word is Word.UNDECIDED
    assert found.cells[0].ratio == pytest.approx(1.0, rel=0.1)
    assert not compare(bare, bare).is_worse


def test_runs_that_others_disturbed_unlike_are_not_compared() -> None:
    old, new = (run_of([steady(spec, level) for spec in CLOCK]) for level in (5000.0, 9000.0))
    noisy = dataclasses.replace(new, rows=tuple(dataclasses.replace(row, spoiled=6) for row in new.rows))
    found = compare(old, noisy)
    assert {cell.word for cell in found.cells} == {Word.UNDECIDED}
    assert "50% in B" in found.cells[0].why
    assert found.overall is not None
    assert found.overall.word is Word.UNDECIDED
    assert compare(noisy, dataclasses.replace(noisy, kernel="6.2")).cells[0].word is Word.NO_DIFFERENCE
