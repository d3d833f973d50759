"""When a change is kept: every goal and every veto, as docs/reference.md has them."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.tune.made import BETTER, SAME, UNDECIDED, WORSE, effect, load

from ipctune.tune.goals import Judgement, judge, metric, name
from ipctune.tune.model import Goal, LoadResult

_ALL = tuple(Goal)
_FIGURE = {Goal.BALANCED: "product", Goal.LATENCY: "p50", Goal.THROUGHPUT: "throughput", Goal.CPU: "price"}
_MORE = effect("better", 0.5)  # messages/s: more is better


def held(goal: Goal, *loads: LoadResult, idle: float | None = 0.0) -> Judgement:
    return judge(goal, loads, idle_vcpus=idle, max_cpu=0.1, max_idle_cpu=0.02)


def good(goal: Goal, **changes: Any) -> LoadResult:
    """Flat out, the goal's figure is better."""
    return load(0.0, **({_FIGURE[goal]: _MORE if goal is Goal.THROUGHPUT else BETTER} | changes))


@pytest.mark.parametrize("goal", _ALL)
def test_each_goal_looks_at_its_own_figure(goal: Goal) -> None:
    assert metric(goal, good(goal)).word == "better"
    assert {metric(other, good(goal)).word for other in _ALL if other is not goal} == {"no difference"}


@pytest.mark.parametrize("goal", _ALL)
def test_better_at_one_load_and_worse_at_none_is_kept(goal: Goal) -> None:
    found = held(goal, load(1000.0), good(goal))
    assert found.keep
    assert found.helps
    assert found.settled
    assert found.why.endswith("better as fast as it goes")


@pytest.mark.parametrize("goal", _ALL)
@pytest.mark.parametrize("word", [SAME, WORSE, UNDECIDED])
def test_no_gain_is_never_kept_and_leaves_the_question_to_the_judge(goal: Goal, word: Any) -> None:
    found = held(goal, load(1000.0), replace(load(), **{_FIGURE[goal]: word}))
    assert not found.keep
    assert not found.helps
    assert not found.settled
    assert word.word in found.why


def test_throughput_counts_as_fast_as_it_goes_alone() -> None:
    assert not held(Goal.THROUGHPUT, load(1000.0, throughput=_MORE), load()).keep


@pytest.mark.parametrize("goal", [Goal.BALANCED, Goal.LATENCY])
def test_a_worse_p50_at_one_load_vetoes(goal: Goal) -> None:
    found = held(goal, load(1000.0, p50=WORSE), good(goal))
    assert not found.keep
    assert found.helps
    assert found.settled
    assert found.why == "p50 is worse at 1,000/s"


@pytest.mark.parametrize("goal", [Goal.BALANCED, Goal.LATENCY])
def test_a_worse_p99_at_one_load_vetoes(goal: Goal) -> None:
    assert held(goal, load(1000.0, p99_worse=True), good(goal)).why == "p99 is worse at 1,000/s"


@pytest.mark.parametrize("goal", _ALL)
def test_an_unknown_p99_vetoes_nothing(goal: Goal) -> None:
    assert held(goal, load(1000.0, p99_worse=None), good(goal, p99_worse=None)).keep


def test_p99_is_shown_and_vetoes_nothing_for_throughput() -> None:
    assert held(Goal.THROUGHPUT, load(1000.0), good(Goal.THROUGHPUT, p99_worse=True)).keep


@pytest.mark.parametrize(("goal", "bound"), [(Goal.BALANCED, 0.10), (Goal.LATENCY, 0.10), (Goal.CPU, 0.05)])
def test_p50_has_to_be_shown_not_worse_by_more_than_the_margin(goal: Goal, bound: float) -> None:
    below = held(goal, load(1000.0, p50_bound=bound - 0.01), good(goal))
    at = held(goal, load(1000.0, p50_bound=bound), good(goal))
    assert below.keep
    assert not at.keep
    assert not at.settled  # more blocks may show it
    assert f"{bound * 100:.0f} % worse" in at.why


@pytest.mark.parametrize("goal", [Goal.BALANCED, Goal.LATENCY, Goal.CPU])
def test_no_bound_on_p50_is_no_keep_yet(goal: Goal) -> None:
    found = held(goal, load(1000.0, p50_bound=None), good(goal))
    assert not found.keep
    assert not found.settled


def test_cpu_allows_a_p50_that_is_worse_by_less_than_its_margin() -> None:
    slower = load(1000.0, p50=effect("worse", 0.02, 0.01), p50_bound=0.03)
    assert held(Goal.CPU, slower, good(Goal.CPU)).keep


def test_balanced_pays_at_most_max_cpu_where_the_product_is_not_better() -> None:
    dear = load(1000.0, product=WORSE, extra_vcpus=0.11)
    found = held(Goal.BALANCED, dear, good(Goal.BALANCED))
    assert not found.keep
    assert found.helps
    assert "costs 0.11 vCPU more at 1,000/s (bound: 0.1)" in found.why
    assert held(Goal.BALANCED, replace(dear, extra_vcpus=0.1), good(Goal.BALANCED)).keep


def test_balanced_pays_any_price_where_the_product_is_better_for_it() -> None:
    assert held(Goal.BALANCED, load(1000.0), good(Goal.BALANCED, extra_vcpus=0.9)).keep


@pytest.mark.parametrize("goal", [Goal.THROUGHPUT, Goal.CPU])
def test_the_extra_price_binds_balanced_alone(goal: Goal) -> None:
    assert held(goal, load(1000.0, extra_vcpus=0.9), good(goal)).keep


@pytest.mark.parametrize("goal", _ALL)
def test_what_burns_an_idle_machine_is_for_latency_alone(goal: Goal) -> None:
    found = held(goal, load(1000.0), good(goal), idle=1.98)
    assert found.keep == (goal is Goal.LATENCY)
    assert found.keep or "burns 1.98 vCPU on an idle machine" in found.why
    assert held(goal, load(1000.0), good(goal), idle=0.02).keep


@pytest.mark.parametrize("goal", _ALL)
def test_an_idle_price_that_was_not_measured_is_not_held_against_it(goal: Goal) -> None:
    assert held(goal, load(1000.0), good(goal), idle=None).keep


def test_latency_shows_the_price_and_lets_it_veto_nothing() -> None:
    dear = good(Goal.LATENCY, product=WORSE, price=WORSE, extra_vcpus=2.0)
    assert held(Goal.LATENCY, load(1000.0), dear, idle=1.98).keep


def test_loads_have_names() -> None:
    assert name(load(20_000.0)) == "at 20,000/s"
    assert name(load(placement="free")) == "as fast as it goes, not pinned"
