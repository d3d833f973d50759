"""The table and the plot of gain against price."""

import pytest
from tests.unit.tune.made import BETTER, WORSE, figures, load, result, trial

from ipctune.knobs.registry import KNOBS
from ipctune.report import why
from ipctune.report.front import render_fronts
from ipctune.report.plot import scatter
from ipctune.report.style import PLAIN
from ipctune.report.tune import render
from ipctune.tune.model import Outcome, TuneResult
from ipctune.tune.pareto import fronts


def run() -> TuneResult:
    dear = load(1000.0, p50=BETTER, price=WORSE, tried=figures(20.0, 2.0), extra_vcpus=1.8)
    lease = trial(
        Outcome.REJECTED, knob="cpu-dma-latency", title="wake-up latency request", value={"latency_us": "0"},
        loads=(dear, load(p50=BETTER)),
    )  # fmt: skip
    trials = (trial(Outcome.KEPT), lease, trial(Outcome.ADVICE, knob="pipe-capacity", value={"capacity": "1048576"}))
    return result(trials=trials, fronts=fronts(trials))


def test_the_report_shows_who_is_on_the_front() -> None:
    text = render(run(), PLAIN)
    assert "GAIN AGAINST PRICE" in text
    assert "B wake-up latency reque… 0   +50 %  +1.80 vCPU" in text
    assert "a haltpoll guest_h… 200000     0 %      0 vCPU" in text
    assert "a haltpoll guest_" in text.split("as fast as it goes")[-1]
    assert "memory: 1,048,576 bytes each, for c" in text
    assert all(len(line) < 80 for line in render_fronts(run().fronts, PLAIN))


def test_nothing_to_compare_shows_nothing() -> None:
    assert render_fronts((), PLAIN) == []
    assert "GAIN AGAINST" not in render(result(), PLAIN)


def test_why_says_what_dominates() -> None:
    text = why.render(run(), KNOBS["haltpoll"], PLAIN)
    assert "200000 as fast as it goes: gain 0 %, price 0 µs, dominated by wake-up latency request" in text
    assert "200000 at 1,000/s: gain 0 %, price 0 vCPU, the same as changing nothing" in text


def test_a_scatter_has_every_point_in_its_corner() -> None:
    lines = scatter([("a", 0.0, 0.0), ("b", 2.0, 1.0), ("c", 2.0, 0.0)], width=11, rows=3)
    assert lines == ["│         b", "│", "│a        c", "└──────────"]


@pytest.mark.parametrize("points", [[("a", 1.0, 1.0)], [("a", 1.0, 1.0), ("b", 1.0, 1.0)]])
def test_points_that_meet_are_a_plus(points: list[tuple[str, float, float]]) -> None:
    assert scatter(points, width=5, rows=2)[1] == ("│a" if len(points) == 1 else "│+")


def test_no_points_no_plot() -> None:
    assert scatter([]) == []
