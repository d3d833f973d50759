"""The screens of a command of the user's: its metric in its own unit, and what the goal decides by."""

from dataclasses import replace

import pytest
from tests.unit.tune.made import effect, result, trial
from tests.unit.tune.made import figures as made_figures
from tests.unit.tune.made import load as made_load

from ipctune.report.figures import figures
from ipctune.report.style import PLAIN
from ipctune.report.tune import render
from ipctune.report.words import named
from ipctune.tune.model import Effect, Goal, LoadResult, Outcome, Settings
from ipctune.workload.model import CommandLine, Metric

LINE = CommandLine("work", "json:p50")


@pytest.mark.parametrize(
    ("goal", "line"),
    [
        (Goal.BALANCED, "metric × price -50 % (-52 … -48): better; 3 % would have shown"),
        (Goal.LATENCY, "metric better; 3 % would have shown"),
        (Goal.THROUGHPUT, "metric better; 3 % would have shown"),
        (Goal.CPU, "price a run -50 % (-52 … -48): better; 3 % would have shown"),
    ],
)
def test_the_second_line_is_what_the_goal_decides_by(goal: Goal, line: str) -> None:
    assert figures([own(2.0)], goal)[2] == f"  {line}"


@pytest.mark.parametrize("figure", [0.0001234, 4.0, 12_345.0, 1_234_567.0])
def test_the_figures_of_a_metric_of_any_size_fit_the_screen(figure: float) -> None:
    head, line, _ = figures([own(figure)], Goal.BALANCED)
    assert line.index("+102 %") == head.index("change")
    assert "vCPU" in line
    assert len(line) <= 76
    assert line.startswith("a run of ")


@pytest.mark.parametrize(("higher", "wins"), [(True, "double"), (False, "half")])
@pytest.mark.parametrize("goal", [Goal.LATENCY, Goal.THROUGHPUT])
def test_the_best_is_the_one_with_the_higher_metric_where_higher_is_better(goal: Goal, higher: bool, wins: str) -> None:
    metric = Metric("json:p50", higher)
    ones = {
        name: replace(own(1.0), metric=metric, p50=effect("better", by))
        for name, by in (("double", 1.0), ("half", -0.5))
    }
    trials = tuple(trial(Outcome.REJECTED, name, title=name, loads=(one,)) for name, one in ones.items())
    found = result(bottleneck="halted-wake", trials=trials, settings=Settings(goal=goal, command=LINE))
    assert f"{wins} 200000 helps, but `{goal}` does not keep it:" in render(found, PLAIN)


def own(figure: float) -> LoadResult:
    """A load of a command, its metric doubled."""
    arm = replace(made_figures(), p50_ns=None, p99_ns=None, messages_per_second=0.0)
    now, tried = replace(arm, figure=figure), replace(arm, figure=2 * figure)
    less = effect("better", -0.5, could_have_seen=0.03)
    doubled = Effect("better", 1.02, 0.98, 1.05, 12, 0.03)
    made = made_load(now=now, tried=tried, p50=doubled, product=less, price=less, placement="own")
    return replace(made, name="in a run of the command", metric=Metric("json:p50"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Settings(), ""),
        (Settings(command=LINE), "your command"),
        (Settings(workload="redis"), "redis"),
        (Settings(workload="/srv/mine.toml"), "your workload"),
    ],
)
def test_what_the_user_named_is_called_so(asked: Settings, words: str) -> None:
    assert named(asked) == words
