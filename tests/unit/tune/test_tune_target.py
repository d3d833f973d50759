"""A run with a target: what of it is tried, that limits are raised and never timed, what is said of the rest."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.tune.machine import Does, host, make_knob, nothing_left
from tests.unit.tune.test_tune_command import Loop, loop

from ipctune.errors import WrongUse
from ipctune.journal.session import exclusive
from ipctune.knobs.model import Cause, Kind, Knob, Scope
from ipctune.report.style import PLAIN
from ipctune.report.tune import render
from ipctune.tune.loop import tune
from ipctune.tune.model import Outcome, Settings
from ipctune.tune.model_target import Hit, Target
from ipctune.tune.plan import make_plan
from ipctune.tune.proof import prove
from ipctune.tune.target import UNMEASURED, hits_of, limits_of

__all__ = ["loop"]

TARGET = Target(4242, 99, "redis-server", "redis.service", ("ipc",))
HELPS = Does(flat=0.5, cpu=0.8)
HIT = Hit("kernel.msgmni", 1, "4,000 were refused")


@pytest.fixture(autouse=True)
def _nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target is made up: nothing of this machine is looked at for it."""
    monkeypatch.setattr("ipctune.tune.loop.near", lambda settings: (replace(settings, watch=0.0, guard=False), []))
    monkeypatch.setattr("ipctune.tune.target.reach", lambda limit, *_: f"{limit} reaches all")


def of_target(made: Loop, name: str, kind: Kind, does: Does | None = None) -> Knob:
    if does is not None:
        made.machine.does[name, "1"] = does
    knob = make_knob(made.machine, name, "1", kind=Kind.FILES if kind is Kind.LIVE else kind, helps=Cause.FULL_QUEUE)
    return replace(knob, kind=kind, of_target=True, elsewhere=lambda value: f"compose {value}")


def no_workload(made: Loop) -> None:
    made.monkeypatch.setattr("ipctune.tune.loop.opened", lambda _settings: nullcontext(None))


def test_live_objects_are_tried_proved_and_kept(loop: Loop) -> None:
    found = loop(of_target(loop, "pipes", Kind.LIVE, HELPS), loop.knob("host", HELPS), target=TARGET)
    assert found.kept == {"pipes": {"pipes": "1"}}
    assert [trial.knob for trial in found.trials] == ["pipes"]
    assert {left.knob: left.why for left in found.not_tried} == {
        "host": "not the target's: --only names what is tried beside it"
    }
    assert found.proof is not None
    assert any("compose {'pipes': '1'}" in advice.text for advice in found.advice)


def test_limits_are_raised_and_never_timed(loop: Loop) -> None:
    limit = of_target(loop, "kernel.msgmni", Kind.LIMIT)
    found = loop(limit, of_target(loop, "pipes", Kind.LIVE), target=TARGET, refused=(HIT,))
    assert found.kept == {"kernel.msgmni": {"kernel.msgmni": "1"}}
    first, second = found.trials
    assert (first.outcome, first.loads) == (Outcome.KEPT, ())
    assert first.why == "kernel.msgmni: 4,000 were refused. Reach: kernel.msgmni reaches all"
    assert second.outcome is Outcome.NO_GAIN
    assert found.until is not None


def test_a_limit_stays_where_what_was_timed_is_not_proved(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_held(*given: Any) -> Any:
        loop.machine.does.clear()
        return prove(*given)

    monkeypatch.setattr("ipctune.tune.loop.prove", not_held)
    limit = of_target(loop, "kernel.msgmni", Kind.LIMIT)
    found = loop(limit, of_target(loop, "pipes", Kind.LIVE, HELPS), target=TARGET, refused=(HIT,))
    assert found.kept == {"kernel.msgmni": {"kernel.msgmni": "1"}}
    assert [trial.outcome for trial in found.trials] == [Outcome.KEPT, Outcome.UNDECIDED]


def test_a_limit_that_the_kernel_does_not_take_is_said(loop: Loop) -> None:
    limit = of_target(loop, "kernel.msgmni", Kind.LIMIT)
    loop.machine.refuses["kernel.msgmni"] = "Invalid argument"
    found = loop(limit, target=TARGET, refused=(HIT,))
    assert [trial.outcome for trial in found.trials] == [Outcome.REFUSED]
    assert found.kept == {}
    assert nothing_left(loop.machine, loop.journal)


def test_without_a_workload_nothing_is_measured(loop: Loop) -> None:
    knobs = (of_target(loop, "kernel.msgmni", Kind.LIMIT), of_target(loop, "pipes", Kind.LIVE, HELPS))
    loop.install(*knobs)
    no_workload(loop)
    with exclusive(loop.journal) as recovered:
        asked = Settings(target=TARGET, refused=(HIT,))
        found = tune(host(), asked, loop.journal, loop.told, recovered)
    assert found.kept == {"kernel.msgmni": {"kernel.msgmni": "1"}}
    assert loop.fake.runs == []
    assert loop.machine.blocks == 0
    assert "needs --command or --workload" in {left.knob: left.why for left in found.not_tried}["pipes"]
    assert "ipctune commit" not in render(found, PLAIN)


def test_nothing_to_change_is_said(loop: Loop) -> None:
    loop.install(of_target(loop, "kernel.msgmni", Kind.LIMIT))
    no_workload(loop)
    with exclusive(loop.journal) as recovered:
        found = tune(host(), Settings(target=TARGET), loop.journal, loop.told, recovered)
    text = render(found, PLAIN)
    assert "Nothing was changed at process 4242 (redis-server, redis.service)." in text
    assert "not changed: the kernel.msgmni setting: it is not there" in text
    assert nothing_left(loop.machine, loop.journal)


@pytest.mark.parametrize(
    ("scope", "own", "tried"),
    [
        (Scope.IPC_NAMESPACE, ("ipc",), False),
        (Scope.IPC_NAMESPACE, ("net",), True),
        (Scope.NET_NAMESPACE, (), True),
        (Scope.HOST, (), False),
    ],
)
def test_a_limit_of_the_machine_is_raised_where_the_target_shares_its_namespace(
    loop: Loop, scope: Scope, own: Sequence[str], tried: bool
) -> None:
    knob = replace(make_knob(loop.machine, "kernel.msgmni", "1", kind=Kind.LIMIT, helps=Cause.REFUSED), scope=scope)
    loop.install(knob)
    asked = Settings(target=replace(TARGET, own_spaces=tuple(own)), refused=(HIT,))
    assert bool(make_plan(host(), asked, UNMEASURED).candidates) is tried


def test_without_a_target_its_knobs_are_left_out(loop: Loop) -> None:
    found = loop(of_target(loop, "pipes", Kind.LIVE, HELPS), loop.knob("host", HELPS))
    assert {left.knob: left.why for left in found.not_tried} == {"pipes": "needs --target PID"}


def test_refusals_are_read() -> None:
    assert hits_of(("kernel.msgmni=4000", "kernel.sem.semmni=7")) == (
        Hit("kernel.msgmni", 4000, "4,000 were refused"),
        Hit("kernel.sem.semmni", 7, "7 were refused"),
    )
    assert "kernel.sem" not in limits_of()


@pytest.mark.parametrize(
    "text", ["", "kernel.msgmni", "kernel.msgmni=", "kernel.msgmni=-1", "kernel.msgmni=٣", "kernel.sem=4", "x=1",
             "kernel.msgmni=0", "net.core.wmem_max=9"],
)  # fmt: skip
def test_what_is_no_refusal(text: str) -> None:
    with pytest.raises(WrongUse):
        hits_of((text,))
