"""The whole loop on a machine that is made of numbers: whatever happens, what is not kept is back."""

from dataclasses import dataclass, replace

import pytest
from tests.unit.host.watched import made_rates
from tests.unit.tune.machine import Does, Machine, Told, host, install, make_knob, nothing_left, settings
from tests.unit.tune.made import effect, load, trial

from ipctune.bench.block import Block
from ipctune.bench.core import Refused, _Refusal
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible
from ipctune.host.model_watch import WaitCause
from ipctune.journal.session import exclusive
from ipctune.journal.store import Journal
from ipctune.knobs.model import Cause, Kind, Knob
from ipctune.tune.loop import Declined, placed, tune
from ipctune.tune.model import Bottleneck, Goal, Outcome, Proof, Settings, TuneResult
from ipctune.tune.summary import shown_within

host_of = host
HELPS = Does(rate=0.8, flat=0.15, cpu=0.4)


@dataclass
class Loop:
    machine: Machine
    journal: Journal
    monkeypatch: pytest.MonkeyPatch
    told: Told

    def __call__(self, *knobs: Knob, asked: Settings | None = None) -> TuneResult:
        install(self.machine, self.monkeypatch, *knobs)
        with exclusive(self.journal) as recovered:
            return tune(host(), asked or settings(), self.journal, self.told, recovered)

    def knob(self, name: str, does: Does | None = None, **facts: object) -> Knob:
        if does is not None:
            self.machine.does[name, "1"] = does
        return make_knob(self.machine, name, "1", **facts)  # type: ignore[arg-type]


@pytest.fixture
def loop(machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Loop:
    machine.does["cpus", "same"] = Does(flat=0.1)  # so that the halted wake is the bottleneck
    return Loop(machine, journal, monkeypatch, Told())


def test_what_helps_is_proved_and_kept_until_the_deadline(loop: Loop) -> None:
    found = loop(loop.knob("helps", HELPS), loop.knob("idles"))
    assert found.kept == {"helps": {"helps": "1"}}
    assert loop.machine.state == {"helps": "1", "idles": "0"}
    assert found.until is not None
    assert found.proof is not None
    assert found.proof.held
    assert [(x.rate, x.placement) for x in found.proof.loads] == [
        (1000.0, "across"), (0.0, "across"), (1000.0, "free"), (0.0, "free"),
    ]  # fmt: skip
    assert loop.told.stages == ["watch", "why", "trials", "proof"]
    assert loop.machine.started[-1] == "start"  # the watchdog has the last word about the deadline
    active = loop.journal.active()
    assert active is not None
    assert (active.run, active.kept, active.tuner) == (found.run, found.kept, 0)


def test_the_gain_that_is_reported_was_measured_after_the_decision(loop: Loop) -> None:
    found = loop(loop.knob("helps", HELPS))
    assert found.proof is not None
    assert found.proof.pairs >= 6
    assert found.proof.loads[1].p50.effect == pytest.approx(-0.85, abs=0.05)
    assert found.proof.drift is not None


def test_a_lease_that_is_kept_passes_to_the_watchdog(loop: Loop) -> None:
    lease = loop.knob("lease", HELPS, kind=Kind.LEASE)
    found = loop(lease, asked=settings(goal=Goal.LATENCY))
    assert found.kept == {"lease": {"lease": "1"}}
    active = loop.journal.active()
    assert active is not None
    assert [hold.knob for hold in active.holds] == ["lease"]


def test_nothing_kept_leaves_nothing(loop: Loop) -> None:
    found = loop(loop.knob("idles"))
    assert (found.kept, found.until, found.proof) == ({}, None, None)
    assert [t.outcome for t in found.trials] == [Outcome.NO_GAIN]
    assert nothing_left(loop.machine, loop.journal)
    assert loop.journal.active() is None


def test_nothing_to_gain_is_shown_to_within_a_share(loop: Loop) -> None:
    loop.machine.does.clear()
    found = loop(loop.knob("idles"))
    assert found.bottleneck == "none"
    assert found.trials == ()
    assert found.shown_within is not None
    assert 0 < found.shown_within < 0.1
    assert loop.told.plans == []  # nothing to ask about


def test_declined_writes_nothing(loop: Loop) -> None:
    loop.told.answer = False
    with pytest.raises(Declined):
        loop(loop.knob("helps", HELPS))
    assert nothing_left(loop.machine, loop.journal)
    assert loop.machine.started == []


@pytest.mark.parametrize("block", [5, 61, 70, 200, 300])
def test_an_interrupt_takes_everything_back_and_keeps_what_was_measured(loop: Loop, block: int) -> None:
    loop.machine.interrupt_at = block
    found = loop(loop.knob("idles"), loop.knob("helps", HELPS))
    assert found.interrupted
    assert (found.kept, found.until) == ({}, None)
    assert nothing_left(loop.machine, loop.journal)
    assert loop.journal.active() is None
    seen = [(trial.knob, trial.loads) for trial in loop.told.trials]
    assert [(trial.knob, trial.loads) for trial in found.trials[: len(seen)]] == seen
    assert not any(trial.outcome is Outcome.KEPT for trial in found.trials)
    assert all(t.why.startswith("interrupted after ") for t in found.trials[len(loop.told.trials) :])
    assert bool(found.bottlenecks) == (block > 61)


def test_a_proof_that_does_not_hold_takes_back(loop: Loop) -> None:
    helps = loop.knob("helps", HELPS)
    stage = loop.told.stage

    def fades(name: str, seconds: float) -> None:
        stage(name, seconds)
        if name == "proof":
            loop.machine.does["helps", "1"] = Does()

    loop.told.stage = fades  # type: ignore[method-assign]
    found = loop(helps)
    assert found.proof is not None
    assert not found.proof.held
    assert "no difference" in found.proof.why or "undecided" in found.proof.why
    assert (found.kept, found.until) == ({}, None)
    assert nothing_left(loop.machine, loop.journal)


def test_after_a_proof_that_did_not_hold_no_trial_says_kept(loop: Loop) -> None:
    helps = loop.knob("helps", HELPS)
    loop.monkeypatch.setattr(
        "ipctune.tune.loop.prove", lambda *_: Proof((), False, "latency × price: undecided", None, 6)
    )
    found = loop(helps)
    assert found.kept == {}
    assert [t.outcome for t in found.trials if t.outcome is Outcome.KEPT] == []


def test_an_interrupt_before_the_evidence_names_no_refusal(loop: Loop) -> None:
    loop.machine.interrupt_at = 5
    found = loop(loop.knob("helps", HELPS))
    assert found.refusals == ()
    assert found.bottleneck != "refused"


def test_without_root_what_root_could_try_is_named(loop: Loop) -> None:
    knobs = (loop.knob("helps", HELPS), make_knob(loop.machine, "cpus", "same", kind=Kind.OPTION))
    loop.monkeypatch.setattr(
        f"{__name__}.host", lambda: replace(host_of(), privileges=replace(host_of().privileges, euid=1000))
    )
    assert loop(*knobs, asked=settings(only=("cpus",))).needs_root == ("helps",)


def test_a_cause_without_a_bound_leaves_everything_open() -> None:
    assert shown_within((Bottleneck("copying", "copying", None, None, None, ()),), []) == 1.0
    assert shown_within((), []) is None


def test_what_could_have_been_seen_is_what_it_is_shown_to_within() -> None:
    seen = load(p50=effect("no difference", 0.0, could_have_seen=0.3))
    assert shown_within((), [trial(Outcome.NO_GAIN, loads=(seen,))]) == pytest.approx(0.3)


def test_only_what_belongs_to_a_program_opens_no_journal(loop: Loop) -> None:
    found = loop(make_knob(loop.machine, "cpus", "same", kind=Kind.OPTION))
    assert [t.outcome for t in found.trials] == [Outcome.ADVICE]
    assert loop.machine.started == []


def test_another_tuner_is_told_by_pid(loop: Loop) -> None:
    from ipctune.journal.lock import locked

    with locked(loop.journal.state), pytest.raises(NotPossible, match="another ipctune is at work"):
        loop(loop.knob("helps", HELPS))


def test_what_an_earlier_run_left_is_restored_first_and_named(loop: Loop) -> None:
    helps = loop.knob("helps", HELPS)
    install(loop.machine, loop.monkeypatch, helps)
    entry = loop.journal.open("helps", {"helps": "0"}, [{"helps": "1"}])
    loop.journal.put(replace(entry, pid=1, start=1))  # a tuner that is gone
    loop.machine.state["helps"] = "1"
    found = loop(helps, loop.knob("idles"), asked=settings(only=("idles",)))
    assert found.recovered == ("/proc/sys/fake/helps: restored",)
    assert loop.machine.state["helps"] == "0"


# The watch before it.


FULL = made_rates(vcpus=tuple(replace(v, busy=1.0) for v in made_rates().vcpus), run_wait_ms=900.0)
IDLE = made_rates(vcpus=tuple(replace(v, busy=0.0) for v in made_rates().vcpus), wakes=2.0)


def test_the_watch_is_a_part_of_the_first_quarter(loop: Loop) -> None:
    found = loop(loop.knob("helps", HELPS))
    assert loop.machine.watched == [10.0]
    assert found.watch is not None
    assert (found.watch.cause, found.watch.ceiling.hop_ns, found.stopped) == (WaitCause.IPC, 19_000.0, "")
    assert loop.told.watches == [(found.watch, True)]


@pytest.mark.parametrize(("seconds", "watched"), [(45.0, 2.5), (180.0, 10.0), (86_400.0, 10.0)])
def test_a_short_run_watches_less(loop: Loop, seconds: float, watched: float) -> None:
    loop.machine.rates = FULL
    loop(loop.knob("helps", HELPS), asked=settings(seconds=seconds))
    assert loop.machine.watched == [watched]


def test_a_larger_cause_ends_the_run_before_anything_is_tried(loop: Loop) -> None:
    loop.machine.rates = FULL
    found = loop(loop.knob("helps", HELPS))
    assert (found.stopped, found.interrupted, found.trials, found.bottlenecks) == ("full-vcpu", False, (), ())
    assert loop.told.stages == ["watch"]
    assert [goes_on for _, goes_on in loop.told.watches] == [False]
    assert loop.machine.started == []
    assert nothing_left(loop.machine, loop.journal)


def test_it_goes_on_where_it_is_told_to(loop: Loop) -> None:
    loop.machine.rates = FULL
    found = loop(loop.knob("helps", HELPS), asked=settings(watch_stops=False))
    assert found.kept == {"helps": {"helps": "1"}}
    assert found.stopped == ""
    assert [goes_on for _, goes_on in loop.told.watches] == [True]


def test_an_idle_machine_is_tuned_by_the_built_in_patterns(loop: Loop) -> None:
    loop.machine.rates = IDLE
    found = loop(loop.knob("helps", HELPS))
    assert found.watch is not None
    assert found.watch.cause is WaitCause.IDLE
    assert found.kept == {"helps": {"helps": "1"}}


def test_ctrl_c_during_the_watch_keeps_what_was_seen(loop: Loop) -> None:
    loop.machine.cut_watch = True
    found = loop(loop.knob("helps", HELPS))
    assert found.interrupted
    assert found.watch is not None
    assert found.watch.ceiling.unknown == "interrupted"
    assert found.stopped == ""
    assert nothing_left(loop.machine, loop.journal)


def test_no_watch_where_none_is_asked_for(loop: Loop) -> None:
    found = loop(loop.knob("idles"), asked=settings(watch=0.0))
    assert (found.watch, loop.machine.watched, loop.told.watches) == (None, [], [])


# A workload that is refused.


def refusing(loop: Loop, limit: str | None, enough: int) -> None:
    """The workload is refused until the limit is at least `enough`."""
    run = loop.machine.run

    def refuse(spec: Spec, seconds: float, seed: int, **_: object) -> Block:
        private = dict(spec.sysctls).get(limit or "")
        if int(private or loop.machine.state.get(limit or "", "0")) < enough:
            raise Refused(_Refusal("msgsnd", "EINVAL", "too long", 22, limit), spec.describe())
        return run(spec, seconds, seed)

    loop.machine.run = refuse  # type: ignore[method-assign]


def limit(loop: Loop, name: str = "kernel.msgmax") -> Knob:
    return loop.knob(name, kind=Kind.LIMIT, helps=Cause.REFUSED)


def test_a_limit_that_refuses_the_workload_is_raised_and_kept(loop: Loop) -> None:
    refusing(loop, "kernel.msgmax", 1)
    found = loop(limit(loop), loop.knob("helps", HELPS))
    assert found.bottleneck == "refused"
    assert [(r.call, r.errno, r.limit) for r in found.refusals] == [("msgsnd", "EINVAL", "kernel.msgmax")]
    assert [(t.knob, t.outcome, t.was) for t in found.trials] == [
        ("kernel.msgmax", Outcome.KEPT, {"kernel.msgmax": "0"})
    ]
    assert found.kept == {"kernel.msgmax": {"kernel.msgmax": "1"}}
    assert loop.machine.state["kernel.msgmax"] == "1"
    assert "the workload runs now" in found.advice[0].text


@pytest.mark.parametrize("asked", [settings(without=("kernel.msgmax",)), settings(only=("helps",))])
def test_a_limit_that_the_user_left_out_is_not_raised(loop: Loop, asked: Settings) -> None:
    refusing(loop, "kernel.msgmax", 1)
    with pytest.raises(NotPossible, match="refuses the workload") as error:
        loop(limit(loop), loop.knob("helps", HELPS), asked=asked)
    assert "kernel.msgmax would have to be raised" in error.value.hint
    assert nothing_left(loop.machine, loop.journal)


def test_a_refused_workload_is_helped_whatever_else_is_slow(loop: Loop) -> None:
    loop.machine.rates = FULL
    refusing(loop, "kernel.msgmax", 1)
    found = loop(limit(loop))
    assert found.kept == {"kernel.msgmax": {"kernel.msgmax": "1"}}
    assert found.stopped == ""


def test_a_limit_that_is_not_enough_goes_back(loop: Loop) -> None:
    refusing(loop, "kernel.msgmax", 2)
    found = loop(limit(loop))
    assert found.trials[0].outcome is Outcome.NO_GAIN
    assert found.kept == {}
    assert nothing_left(loop.machine, loop.journal)


def test_a_refusal_without_a_limit_is_not_possible_here(loop: Loop) -> None:
    refusing(loop, None, 1)
    with pytest.raises(NotPossible, match="refuses the workload"):
        loop(loop.knob("helps", HELPS))
    assert nothing_left(loop.machine, loop.journal)


def test_trials_pin_the_pair_and_leave_alone_what_is_pinned() -> None:
    assert placed(host(), Spec()).cpus == (0, 1)
    assert placed(host(), Spec(cpus=(1, 1))).cpus == (1, 1)
    one = replace(host(), cpus=replace(host().cpus, allowed=(0,)))
    assert placed(one, Spec()).placement == "free"
