"""What is tried and in which order, why the rest is not, and what may be written for it."""

from dataclasses import replace

import pytest
from tests.unit.tune.machine import Machine, evidence, host, install, make_knob, settings

from ipctune.knobs.files import ALLOWED, is_allowed
from ipctune.knobs.model import Cause, Kind, Knob
from ipctune.knobs.registry import KNOBS
from ipctune.tune.model import Goal, Settings
from ipctune.tune.plan import Plan, make_plan


def planned(machine: Machine, monkeypatch: pytest.MonkeyPatch, *knobs: Knob, asked: Settings | None = None) -> Plan:
    install(machine, monkeypatch, *knobs)
    return make_plan(host(), asked or settings(), evidence())


def order(plan: Plan) -> list[str]:
    return [c.knob.id for c in plan.candidates]


def reasons(plan: Plan) -> dict[str, str]:
    return {n.knob: n.why for n in plan.not_tried}


def test_what_the_goal_could_keep_comes_first_and_short_looks_last(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = (
        make_knob(machine, "always", "1", kind=Kind.LEASE, always_polls=True),
        make_knob(machine, "option", "same", kind=Kind.OPTION),
        make_knob(machine, "setting", "1", "2"),
    )
    plan = planned(machine, monkeypatch, *knobs)
    assert order(plan) == ["setting", "setting", "option", "always"]
    assert [c.reference for c in plan.candidates] == [False, False, False, True]
    assert [c.describe_now() for c in plan.candidates[:3]] == ["0", "0", "none"]


def test_for_latency_what_always_polls_is_a_candidate_like_others(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    knob = make_knob(machine, "always", "1", kind=Kind.LEASE, always_polls=True)
    plan = planned(machine, monkeypatch, knob, asked=settings(goal=Goal.LATENCY))
    assert [c.reference for c in plan.candidates] == [False]


def test_a_second_cause_that_is_sure_is_tried_after_the_first(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = make_knob(machine, "second", "1", helps=Cause.COPYING)
    install(machine, monkeypatch, copying, make_knob(machine, "first", "1"))
    found = evidence()
    second = replace(found.bottlenecks[0], cause="copying", share=0.3, low=0.2, high=0.4)
    plan = make_plan(host(), settings(), replace(found, bottlenecks=(second, *found.bottlenecks)))
    assert order(plan) == ["first", "second"]


def test_reasons_for_what_is_left_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = (
        make_knob(machine, "named", "1"),
        make_knob(machine, "newer", "1", since=(99, 0)),
        make_knob(machine, "elsewhere", "1", helps=Cause.COPYING),
        make_knob(machine, "absent"),
        make_knob(machine, "limit", "1", kind=Kind.LIMIT, helps=Cause.REFUSED),
        make_knob(machine, "setting", "1"),
    )
    plan = planned(machine, monkeypatch, *knobs, asked=settings(without=("named",)))
    assert order(plan) == ["setting"]
    assert reasons(plan) == {
        "named": "left out by --without",
        "newer": "needs kernel 99.0",
        "elsewhere": "no evidence for it here (it helps with copying)",
        "absent": "it is not there",
        "limit": "it is not there",
    }


def test_every_knob_is_either_tried_or_named_with_a_reason(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = [make_knob(machine, f"k{i}", *"1" * (i % 2)) for i in range(6)]
    plan = planned(machine, monkeypatch, *knobs)
    assert {*order(plan), *reasons(plan)} == set(KNOBS)


def test_only_tries_it_without_any_evidence_and_nothing_else(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = (make_knob(machine, "elsewhere", "1", helps=Cause.COPYING), make_knob(machine, "setting", "1"))
    plan = planned(machine, monkeypatch, *knobs, asked=settings(only=("elsewhere",)))
    assert order(plan) == ["elsewhere"]
    assert reasons(plan) == {"setting": "left out by --only"}


def test_advice_comes_where_it_fits_the_evidence(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = make_knob(machine, "boot", "line", kind=Kind.ADVICE)
    plan = planned(machine, monkeypatch, replace(boot, not_tried="takes a reboot"))
    assert order(plan) == []
    assert [(a.text, a.figure) for a in plan.advice] == [("the boot setting: boot: line", "takes a reboot")]
    assert make_plan(host(), settings(), evidence("copying")).advice == ()


def test_writes_are_those_of_the_candidates_and_on_the_allow_list(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = (
        make_knob(machine, "a", "1", "2"),
        make_knob(machine, "b", "1"),
        make_knob(machine, "option", "same", kind=Kind.OPTION),
    )
    plan = planned(machine, monkeypatch, *knobs, asked=settings(without=("b",)))
    assert plan.writes == ("/proc/sys/fake/a",)
    assert all(is_allowed(path) for path in plan.writes)


def test_the_lease_is_among_the_writes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = replace(
        make_knob(machine, "lease", kind=Kind.LEASE), candidates=lambda _host, _hints: ({"latency_us": "0"},)
    )
    assert planned(machine, monkeypatch, lease).writes == ("/dev/cpu_dma_latency",)


def test_every_file_of_a_real_knob_is_on_the_allow_list() -> None:
    paths = [part.where for knob in KNOBS.values() for part in knob.parts().values() if part.where.startswith("/")]
    assert paths
    assert [path for path in paths if not is_allowed(path) and not _is_group(path)] == []


def _is_group(path: str) -> bool:
    """A cgroup of ours: the files in it are on the list."""
    return any(shown.startswith(f"{path}/") for shown in ALLOWED)
