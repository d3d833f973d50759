"""Who gets how much time, and what becomes of each candidate."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from tests.unit.tune.machine import Does, Machine, Told, evidence, host, install, make_knob, settings

from ipctune.journal.session import tuning
from ipctune.journal.store import Journal
from ipctune.knobs.model import Cause, Kind, Knob
from ipctune.tune.model import Goal, NotTried, Outcome, Settings, Trial
from ipctune.tune.plan import Candidate, make_plan
from ipctune.tune.trials import LEAST_PAIRS, Clock, run_trials

HELPS = Does(rate=0.85, flat=0.15, cpu=0.4)


@dataclass
class Ran:
    winners: list[Candidate]
    trials: list[Trial] = field(default_factory=list)
    not_tried: list[NotTried] = field(default_factory=list)

    def outcomes(self) -> dict[str, Outcome]:
        return {t.knob: t.outcome for t in self.trials}


@pytest.fixture
def ran(machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> "Runner":
    return Runner(machine, journal, monkeypatch)


@dataclass
class Runner:
    machine: Machine
    journal: Journal
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *knobs: Knob, asked: Settings | None = None) -> Ran:
        install(self.machine, self.monkeypatch, *knobs)
        asked = asked or settings()
        plan = make_plan(host(), asked, evidence())
        found = Ran([])
        with tuning(self.journal) as session:
            clock = Clock(asked.seconds)
            found.winners = run_trials(
                plan, asked, session.journal, Told(), found.trials, found.not_tried, clock, random.Random(7)
            )
            assert not self.machine.held
            assert not self.journal.entries()
            assert {self.machine.state[k.id] for k in knobs if k.id in self.machine.state} <= {"0"}
        return found


def knob(ran: Runner, name: str, does: Does | None = None, *more: str, **facts: object) -> Knob:
    if does is not None:
        ran.machine.does[name, "1"] = does
    return make_knob(ran.machine, name, "1", *more, **facts)  # type: ignore[arg-type]


def test_what_helps_wins_and_what_does_nothing_does_not(ran: Runner) -> None:
    found = ran(knob(ran, "helps", HELPS), knob(ran, "idles"))
    assert found.outcomes() == {"helps": Outcome.KEPT, "idles": Outcome.NO_GAIN}
    assert [c.knob.id for c in found.winners] == ["helps"]
    assert found.trials[0].idle_vcpus == 0.0
    assert found.trials[1].idle_vcpus is None  # measured for winners alone


def test_a_trial_says_what_it_could_have_seen(ran: Runner) -> None:
    found = ran(knob(ran, "idles"))
    seen = [load.p50.could_have_seen for load in found.trials[0].loads]
    assert all(one is not None and 0 < one < 0.5 for one in seen)


def test_the_slow_load_comes_first_and_both_are_shown(ran: Runner) -> None:
    assert [load.rate for load in ran(knob(ran, "helps", HELPS)).trials[0].loads] == [1000.0, 0.0]


def test_what_slows_down_is_not_kept(ran: Runner) -> None:
    found = ran(knob(ran, "slows", Does(rate=1.3, flat=1.3)))
    assert found.outcomes() == {"slows": Outcome.NO_GAIN}
    assert "worse" in found.trials[0].why


def test_what_helps_at_a_price_is_rejected_with_the_price(ran: Runner) -> None:
    found = ran(knob(ran, "dear", Does(rate=0.5, flat=0.2, polls=1.9)))
    assert found.outcomes() == {"dear": Outcome.REJECTED}
    assert "vCPU" in found.trials[0].why


def test_what_burns_an_idle_machine_is_rejected_after_its_idle_price(ran: Runner) -> None:
    found = ran(knob(ran, "burns", Does(rate=0.5, flat=0.2, cpu=0.3, idle=1.98)))
    assert found.outcomes() == {"burns": Outcome.REJECTED}
    assert found.trials[0].idle_vcpus == 1.98
    assert "burns 1.98 vCPU on an idle machine" in found.trials[0].why


@pytest.mark.parametrize("goal", list(Goal))
def test_what_harms_a_bystander_is_rejected_whatever_the_goal(ran: Runner, goal: Goal) -> None:
    found = ran(knob(ran, "harms", Does(rate=0.5, flat=0.2, cpu=0.3, beside=1.3)), asked=settings(goal=goal))
    assert found.outcomes() == {"harms": Outcome.REJECTED}
    assert found.winners == []
    assert "another program's work takes 30 % longer beside it (bound: 5 %)" in found.trials[0].why
    assert found.trials[0].bystander is not None


def test_the_bystander_is_looked_at_for_winners_alone(ran: Runner) -> None:
    found = ran(knob(ran, "helps", HELPS), knob(ran, "idles"))
    kept, idle = found.trials
    assert kept.bystander is not None
    assert kept.bystander.word == "no difference"
    assert idle.bystander is None


def test_for_latency_it_is_kept_with_its_price(ran: Runner) -> None:
    burns = knob(ran, "burns", Does(rate=0.5, flat=0.2, polls=1.9, idle=1.98))
    found = ran(burns, asked=settings(goal=Goal.LATENCY))
    assert found.outcomes() == {"burns": Outcome.KEPT}
    assert found.trials[0].idle_vcpus == 1.98


def test_what_always_polls_gets_one_short_look_and_is_never_kept(ran: Runner) -> None:
    found = ran(knob(ran, "lease", HELPS, kind=Kind.LEASE, always_polls=True))
    assert found.outcomes() == {"lease": Outcome.REJECTED}
    assert found.winners == []
    assert found.trials[0].reference
    assert found.trials[0].loads[0].p50.pairs == 6


def test_a_reference_that_the_figures_would_keep_says_why_it_is_not(ran: Runner) -> None:
    found = ran(knob(ran, "lease", HELPS, kind=Kind.LEASE, always_polls=True))
    assert "it polls for ever, on an idle machine too: for the goal latency alone" in found.trials[0].why


def test_the_idle_price_is_what_the_setting_adds(ran: Runner) -> None:
    ran.machine.state["there"] = "x"
    ran.machine.does["there", "x"] = Does(idle=0.5)  # somebody else's polling, with the setting and without
    found = ran(knob(ran, "helps", HELPS))
    ran.machine.state["there"] = "0"
    assert found.trials[0].idle_vcpus == 0.0
    assert found.outcomes() == {"helps": Outcome.KEPT}


def test_a_gain_that_is_not_yet_shown_harmless_is_measured_on_and_not_rejected(ran: Runner) -> None:
    ran.machine.noise = 0.35
    found = ran(knob(ran, "helps", Does(flat=0.1, cpu=0.5)))
    assert found.trials[0].outcome is Outcome.UNDECIDED
    assert "not yet shown" in found.trials[0].why
    assert found.trials[0].blocks // 4 >= 36  # all that the time allows


def test_what_belongs_to_a_program_ends_as_advice(ran: Runner) -> None:
    ran.machine.does["cpus", "same"] = HELPS
    placement = make_knob(ran.machine, "cpus", "same", kind=Kind.OPTION)
    found = ran(placement)
    assert found.outcomes() == {"cpus": Outcome.ADVICE}
    assert found.winners == []


def test_what_the_kernel_does_not_take_is_refused_and_the_rest_goes_on(ran: Runner) -> None:
    ran.machine.refuses["stuck"] = "Invalid argument (EINVAL)"
    found = ran(knob(ran, "stuck", HELPS), knob(ran, "helps", HELPS))
    assert found.outcomes() == {"stuck": Outcome.REFUSED, "helps": Outcome.KEPT}
    assert "EINVAL" in found.trials[0].why
    assert found.trials[0].loads == ()


def test_one_winner_a_cause_and_the_other_is_covered(ran: Runner) -> None:
    better = Does(rate=0.8, flat=0.1, cpu=0.3)
    found = ran(knob(ran, "good", HELPS), knob(ran, "better", better))
    assert found.outcomes() == {"good": Outcome.COVERED, "better": Outcome.KEPT}
    assert [c.knob.id for c in found.winners] == ["better"]
    assert found.trials[0].why == "the better setting does the same better"


def test_two_causes_may_have_a_winner_each(ran: Runner) -> None:
    other = knob(ran, "other", HELPS, helps=Cause.COPYING)
    found = ran(knob(ran, "one", HELPS), other, asked=settings(only=("one", "other")))
    assert sorted(c.knob.id for c in found.winners) == ["one", "other"]


def test_a_second_value_is_left_out_when_the_first_wins(ran: Runner) -> None:
    found = ran(knob(ran, "helps", HELPS, "2"))
    assert [t.value for t in found.trials] == [{"helps": "1"}]
    assert [(n.knob, n.why) for n in found.not_tried] == [("helps", "2: another value of it wins already")]


def test_what_got_no_time_is_listed_with_the_time_it_needs(ran: Runner) -> None:
    found = ran(*(knob(ran, f"k{i}") for i in range(6)), asked=settings(seconds=80.0))
    left = {n.knob: n.seconds for n in found.not_tried}
    assert found.trials
    assert left
    assert {*found.outcomes(), *left} == {f"k{i}" for i in range(6)}
    each = 2 * (0.2 + 2 * 0.36)
    assert all(seconds == pytest.approx(LEAST_PAIRS * each) for seconds in left.values())


def test_trials_stay_within_half_of_the_run(ran: Runner) -> None:
    start = ran.machine.now
    ran(*(knob(ran, f"k{i}") for i in range(8)), asked=settings(seconds=180.0))
    assert ran.machine.now - start <= 90.0 + 2 * 5.0


def test_every_trial_gets_its_least_pairs_before_any_gets_more(ran: Runner) -> None:
    ran.machine.noise = 0.3  # nobody is decided early
    found = ran(*(knob(ran, f"k{i}") for i in range(3)), asked=settings(seconds=170.0))
    pairs = [t.blocks // 4 for t in found.trials]
    assert min(pairs) >= LEAST_PAIRS
    assert len(found.trials) == 3


def test_a_second_value_waits_for_the_verdict_on_the_first(ran: Runner) -> None:
    ran.machine.noise = 0.3  # nobody is decided early
    found = ran(knob(ran, "k", None, "2"), knob(ran, "other"), asked=settings(seconds=140.0))
    first = next(t for t in found.trials if t.value == {"k": "1"})
    assert first.blocks // 4 > LEAST_PAIRS
    assert [(n.knob, n.why) for n in found.not_tried] == [("k", "2: no time left")]


def test_arms_come_in_random_order(ran: Runner) -> None:
    seen: list[str] = []
    write = ran.machine.sleep

    def note(seconds: float) -> None:
        seen.append(ran.machine.state["idles"])
        write(seconds)

    ran.machine.sleep = note  # type: ignore[method-assign]
    ran(knob(ran, "idles"))
    firsts = [a for a, _ in list(pairwise(seen))[::2]]
    assert {"0", "1"} <= set(firsts)


def test_the_same_seed_gives_the_same_verdicts(
    machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(machine, journal, monkeypatch)
    first = runner(knob(runner, "helps", HELPS), knob(runner, "idles"))
    machine.blocks = 0
    second = runner(knob(runner, "helps", HELPS), knob(runner, "idles"))
    assert first.trials == second.trials
