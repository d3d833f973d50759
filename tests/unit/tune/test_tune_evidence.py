"""The bottleneck is the cause that surely explains most; without halts it is not the halted wake."""

from dataclasses import replace

import pytest
from tests.unit.tune.machine import Does, Machine, host, install, make_knob, settings

from ipctune.bench.core import Refused, _Refusal
from ipctune.bench.wake import Knee
from ipctune.host import polltime
from ipctune.host.model import Host
from ipctune.tune import causes as module
from ipctune.tune import evidence
from ipctune.tune.evidence import LEAST_SHARE, Evidence, gather, name_bottleneck
from ipctune.tune.model import Bottleneck, Goal


def cause(name: str, share: float, low: float | None) -> Bottleneck:
    return Bottleneck(name, name, share, low, None if low is None else 2 * share - low, ())


def gathered(machine: Machine, monkeypatch: pytest.MonkeyPatch, on: Host | None = None, **asked: object) -> Evidence:
    install(machine, monkeypatch, make_knob(machine, "any"))
    return gather(on or host(), settings(**asked), 45.0, lambda _text: None)


def test_the_cause_that_surely_explains_most_is_the_bottleneck() -> None:
    assert name_bottleneck((cause("a", 0.3, 0.25), cause("b", 0.9, 0.8))) == "b"


@pytest.mark.parametrize("low", [None, LEAST_SHARE - 0.01, -0.2])
def test_a_share_that_is_not_sure_names_no_bottleneck(low: float | None) -> None:
    assert name_bottleneck((cause("a", 0.5, low),)) == "none"


def test_no_cause_is_no_bottleneck() -> None:
    assert name_bottleneck(()) == "none"


def test_at_the_bound_it_counts() -> None:
    assert name_bottleneck((cause("a", 0.5, LEAST_SHARE),)) == "a"


def test_a_halted_wake_is_named_with_its_share_and_interval(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.does["cpus", "same"] = Does(flat=0.1)
    found = gathered(machine, monkeypatch)
    first = found.bottlenecks[0]
    assert found.bottleneck == "halted-wake" == first.cause
    assert first.share is not None
    assert first.low is not None
    assert first.high is not None
    assert 0 < first.low <= first.share <= first.high < 1
    assert first.share == pytest.approx(0.9, abs=0.03)
    assert "on one vCPU" in first.evidence[0]


def test_what_is_faster_with_the_cause_explains_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.does["cpus", "same"] = Does(flat=2.0)
    found = gathered(machine, monkeypatch)
    halted = next(b for b in found.bottlenecks if b.cause == "halted-wake")
    assert halted.share == 0.0
    assert halted.high is not None
    assert halted.high < 0
    assert found.bottleneck == "none"


@pytest.mark.parametrize(("rate", "named"), [(0.05, "none"), (1.9, "halted-wake")])
def test_without_halts_it_is_not_the_halted_wake(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, rate: float, named: str
) -> None:
    machine.does["cpus", "same"] = Does(flat=0.1)
    install(machine, monkeypatch)
    total = [0]

    def halts(_cpus: object) -> int:
        total[0] += round(rate * 0.25e9 / 45_000)
        return total[0]

    monkeypatch.setattr(module, "halts", halts)
    monkeypatch.setattr(evidence, "halts", lambda: 1)
    found = gather(host(), settings(), 45.0, lambda _text: None)
    assert found.bottleneck == named
    halted = next(b for b in found.bottlenecks if b.cause == "halted-wake")
    assert "a vCPU halted (cpuidle)" in halted.evidence[1]


def test_run_queue_wait_is_looked_at_only_with_the_right_to(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.does["policy", "fifo"] = Does(flat=0.5)
    found = gathered(machine, monkeypatch)
    assert found.bottleneck == "run-queue-wait"
    user = replace(host(), privileges=replace(host().privileges, euid=1000, caps=frozenset[str]()))
    without = gathered(machine, monkeypatch, user)
    assert "run-queue-wait" not in {b.cause for b in without.bottlenecks}


def test_a_refused_difference_is_said_and_is_no_cause(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine, monkeypatch)
    run = machine.run

    def refuse(spec: object, *rest: object) -> object:
        if getattr(spec, "policy", "") == "fifo":
            raise Refused(_Refusal("sched_setscheduler", "EPERM", "not permitted"), "a pipe")
        return run(spec, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "run", refuse)
    found = gather(host(), settings(), 45.0, lambda _text: None)
    queued = next(b for b in found.bottlenecks if b.cause == "run-queue-wait")
    assert (queued.share, queued.low) == (None, None)
    assert queued.evidence[0].startswith("not looked at: sched_setscheduler")


def test_on_one_vcpu_there_is_no_curve_and_no_wake(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one = replace(host(), cpus=replace(host().cpus, online=(0,), allowed=(0,)))
    found = gathered(machine, monkeypatch, one, spec=settings().spec.replace(cpus=(-1, -1)))
    assert found.curve is None
    assert found.p50_ns is None
    assert "halted-wake" not in {b.cause for b in found.bottlenecks}


@pytest.mark.parametrize(("kind", "named"), [("awake", "none"), ("nobody", "halted-wake")])
def test_without_cpuidle_the_curve_tells_whether_anyone_halts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, kind: str, named: str
) -> None:
    machine.does["cpus", "same"] = Does(flat=0.1)
    monkeypatch.setattr(evidence, "knee", lambda _curve: Knee(kind))
    assert gathered(machine, monkeypatch).bottleneck == named


def test_a_stream_is_looked_at_for_halts_at_its_rate(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.does["cpus", "same"] = Does(rate=0.1)
    found = gathered(machine, monkeypatch, spec=settings().spec.replace(pattern="stream"))
    assert found.bottleneck == "halted-wake"
    assert "(at 1,000/s)" in next(b for b in found.bottlenecks if b.cause == "halted-wake").evidence[0]


def test_what_stays_open_is_measured_longer_where_nothing_else_will_be(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.noise = 0.2
    few = {b.cause: (b.low, b.high) for b in gathered(machine, monkeypatch, seconds=1.0).bottlenecks}
    machine.blocks = 0
    more = {b.cause: (b.low, b.high) for b in gathered(machine, monkeypatch, seconds=600.0).bottlenecks}
    assert few != more


def test_causes_that_can_not_be_looked_at_are_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    user = replace(host(), privileges=replace(host().privileges, euid=1000, caps=frozenset[str]()))
    assert any("run-queue wait" in text for text in gathered(machine, monkeypatch, user).unseen)
    assert gathered(machine, monkeypatch).unseen == ()


def test_hints_name_the_workload_and_the_consumer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    hints = gathered(machine, monkeypatch).hints
    assert (hints["mechanism"], hints["pattern"], hints["consumer_cpu"]) == ("pipe", "ping-pong", "1")
    assert hints["socket_buffer"].isdigit()


def test_a_value_of_the_curve_is_suggested_only_within_the_bound(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "poll_ns" in gathered(machine, monkeypatch, max_cpu=10.0).hints
    assert "poll_ns" not in gathered(machine, monkeypatch, max_cpu=0.0).hints
    assert "poll_ns" in gathered(machine, monkeypatch, max_cpu=0.0, goal=Goal.LATENCY).hints


def test_halts_are_those_of_states_other_than_poll() -> None:
    found = polltime.halts()
    assert found is None or found >= 0
