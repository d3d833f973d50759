"""The word of `verify`: a gain that half a minute could not tell from none is not gone."""

import pytest
from tests.unit.tune.made import BETTER, SAME, UNDECIDED, effect, load

from ipctune.tune.goals import judge
from ipctune.tune.model import Effect, Goal, LoadResult, Settings
from ipctune.tune.verify import _word


def word(*loads: LoadResult) -> str:
    settings = Settings(goal=Goal.LATENCY)
    found = judge(Goal.LATENCY, loads, idle_vcpus=None, max_cpu=0.1, max_idle_cpu=0.02)
    return _word(settings, found, loads)


@pytest.mark.parametrize(
    ("p50", "bound", "said"),
    [
        (BETTER, 0.02, "still helps"),
        (SAME, 0.02, "no longer"),
        (UNDECIDED, 0.2, "undecided"),
        (effect("worse", 0.5), 0.6, "no longer"),
    ],
)
def test_the_word_of_one_load(p50: Effect, bound: float, said: str) -> None:
    assert word(load(p50=p50, p50_bound=bound)) == said


def test_a_gain_whose_harm_is_open_is_undecided() -> None:
    assert word(load(p50=BETTER), load(1000.0, p50=UNDECIDED, p50_bound=0.3)) == "undecided"
