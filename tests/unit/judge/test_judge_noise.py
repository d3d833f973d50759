"""What the judge promises under simulated noise: a smaller run of `benchmarks/judge.py`, seeded.

The bounds are those of the full run, but 6 % instead of 5 % for false verdicts, as 300 runs scatter.
"""

import pytest
from benchmarks.judge import KNOBS, SIDES, Row, promised, real, row, shared, table

from ipctune.judge.sequential import Word

BETTER = (Word.BETTER,)


def test_equal_arms_are_seldom_called_different() -> None:
    assert row("", shared(0), SIDES, runs=300, seed=11, family=1).share <= 0.06


def test_ten_useless_knobs_are_seldom_kept() -> None:
    assert row("", shared(0), BETTER, runs=80, seed=12, together=KNOBS).share <= 0.06


@pytest.mark.parametrize(("effect", "share"), [(-0.05, 0.95), (-0.02, 0.75)])
def test_real_effects_are_found(effect: float, share: float) -> None:
    assert row("", shared(effect), BETTER, runs=200, seed=13).share >= share


def test_a_slower_loop_is_called_worse() -> None:
    assert row("", shared(0.10), (Word.WORSE,), runs=50, seed=14).share >= 0.95


def test_coarse_noise() -> None:
    assert row("", real(-0.14, 0.15), BETTER, runs=100, seed=15).share >= 0.9
    assert row("", real(0, 0.15), SIDES, runs=100, seed=16).share <= 0.05


def test_the_table_marks_a_broken_promise() -> None:
    assert len(table(promised(1)).splitlines()) == 5
    assert "BROKEN" in table([Row("x", "better", 1, 0.5, 0.05, None, 40.0, None)])
    assert "BROKEN" not in table([Row("x", "better", 1, 0.5, None, 0.5, 40.0, 0.02)])
