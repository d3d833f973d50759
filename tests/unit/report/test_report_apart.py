"""What the screens say of each setting of a set: whether it stays, and by which figures."""

from dataclasses import replace

import pytest
from tests.unit.tune.made import BETTER, apart, load, proof, result, trial

from ipctune.knobs.registry import KNOBS
from ipctune.report import why
from ipctune.report.apart import render_apart
from ipctune.report.style import PLAIN
from ipctune.report.tune import render
from ipctune.tune.model import Contribution, Goal, Outcome


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (Contribution.SHOWN, "contributes beside the others"),
        (Contribution.NONE, "adds nothing beside the others, so it is put back"),
        (Contribution.UNDECIDED, "not shown to add anything beside the others, so it is put back"),
        (Contribution.NO_TIME, "for want of time (needs 44 s more); it stays, as the set was proved"),
    ],
)
def test_each_member_is_told_of_in_lines_that_fit(word: Contribution, says: str) -> None:
    lines = render_apart(replace(proof(), apart=(apart(word),)), Goal.BALANCED)
    text = " ".join(line.strip() for line in lines)
    assert text.startswith("the haltpoll setting 1: ")
    assert says in text
    assert all(len(line) < 80 for line in lines)


def test_the_result_and_why_show_who_left() -> None:
    shown = replace(apart(Contribution.SHOWN), loads=(load(1000.0), load(product=BETTER)))
    left = apart(Contribution.NONE, knob="placement")
    run = result(
        trials=(trial(Outcome.KEPT), trial(Outcome.COVERED, knob="placement")),
        proof=replace(proof(), apart=(shown, left)),
        kept={"haltpoll": {"guest_halt_poll_ns": "200000"}},
        until=1.7e9,
    )
    text = render(run, PLAIN)
    assert "latency × price +0.0 % (-2.0 … +2.0) at 1,000/s; -50 %" in text.replace("\n     ", " ")
    assert "the placement setting 1: adds nothing" in text
    told = why.render(run, KNOBS["placement"], PLAIN)
    assert "the placement setting 1: adds nothing" in told
    assert "the haltpoll setting" not in told


def test_one_alone_needs_no_words() -> None:
    assert render_apart(proof(), Goal.BALANCED) == []
