"""Which cell comes next: interleaved, what matters first, whole cells within the time, and on where it was."""

from collections import Counter
from math import inf

import pytest

from ipctune.bench.order import LEAST_ROUNDS, Order
from ipctune.bench.spec import Spec

CELLS = tuple(Spec(f"m{at}") for at in range(20))


class Run:
    """Measures without measuring: a block takes a second."""

    def __init__(self, budget: float = inf, refused: frozenset[Spec] = frozenset()) -> None:
        self.blocks: dict[Spec, list[int]] = {cell: [] for cell in CELLS}
        self.out: set[Spec] = set()
        self.budget, self.refused, self.spent = budget, refused, 0.0
        self.done: list[Spec] = []

    def __call__(self, rounds: int = 3, stage_s: float = inf, stop: int | None = None, seed: int = 1) -> list[Spec]:
        fill = self.budget < inf
        cells = Order(
            CELLS, rounds, seed, self.blocks, self.out, left=self.left, block_s=lambda: 1.0, stage_s=stage_s, fill=fill
        )
        for cell in cells:
            if stop is not None and len(self.done) == stop:
                break
            self.take(cell)
        return self.done

    def left(self) -> float:
        return self.budget - self.spent

    def take(self, cell: Spec) -> None:
        self.done.append(cell)
        if cell in self.refused:
            self.out.add(cell)
            return
        self.spent += 1
        self.blocks[cell].append(len(self.done))


def counts(run: Run) -> Counter[int]:
    return Counter(map(len, run.blocks.values()))


def test_rounds_are_interleaved_each_in_another_order() -> None:
    done = Run()(rounds=4)
    rounds = [done[at : at + 20] for at in range(0, 80, 20)]
    assert [set(some) for some in rounds] == [set(CELLS)] * 4
    assert len({tuple(some) for some in rounds}) == 4


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 29, 30, 31, 59, 60, 61, 100])
def test_whatever_the_time_every_cell_that_is_reached_gets_its_blocks(budget: int) -> None:
    run = Run(budget)
    run(stage_s=max(3.0, budget / 3))
    assert all(number == 0 or number >= LEAST_ROUNDS for number in counts(run))
    assert run.spent <= max(budget, LEAST_ROUNDS)
    reached = [cell for cell in CELLS if run.blocks[cell]]
    assert reached == list(CELLS[: len(reached)])
    assert len(reached) == min(20, max(1, budget // LEAST_ROUNDS))


def test_time_that_is_left_goes_to_more_rounds_of_all() -> None:
    run = Run(107)
    run()
    assert set(counts(run)) == {5, 6}


def test_refused_cells_give_their_time_to_others() -> None:
    run = Run(30, refused=frozenset(CELLS[:10]))
    run(stage_s=10)
    assert all(len(run.blocks[cell]) >= LEAST_ROUNDS for cell in CELLS[10:])
    assert [run.done.count(cell) for cell in CELLS[:10]] == [1] * 10


def test_all_refused_is_an_end() -> None:
    for budget in (5.0, inf):
        run = Run(budget, refused=frozenset(CELLS))
        assert sorted(run(), key=str) == sorted(CELLS, key=str)


def test_stages_finish_what_matters_first() -> None:
    run = Run()
    run(rounds=5, stage_s=12.0)
    assert set(run.done[:12]) == set(CELLS[:4])
    assert counts(run) == {5: 20}


@pytest.mark.parametrize("stop", [0, 1, 5, 13, 37, 59, 61, 80])
@pytest.mark.parametrize("stage_s", [9.0, inf])
def test_a_stopped_run_goes_on_where_it_was(stop: int, stage_s: float) -> None:
    whole, halved = Run(), Run()
    whole(rounds=5, stage_s=stage_s)
    halved(rounds=5, stage_s=stage_s, stop=stop)
    halved(rounds=5, stage_s=stage_s)
    assert counts(halved) == counts(whole) == {5: 20}
    assert len(halved.done) == len(whole.done)


def test_out_of_time_the_least_rounds_are_still_made() -> None:
    run = Run()
    run.left = lambda: -1.0 if run.spent > 25 else 10.0  # type: ignore[method-assign]
    run(rounds=9)
    assert counts(run) == {LEAST_ROUNDS: 20}
