"""Leave-one-out of the kept set: nothing stays that only looked good beside something else."""

import random
from dataclasses import dataclass, replace

import pytest
from tests.unit.tune.machine import Does, Machine, Told, host, install, make_knob, nothing_left, settings
from tests.unit.tune.made import BETTER, SAME, UNDECIDED, WORSE, load

from ipctune.journal.session import exclusive, guarded
from ipctune.journal.store import Journal
from ipctune.knobs.model import Cause, Kind, Knob
from ipctune.tune.apart import Without, contribution
from ipctune.tune.budget import Clock
from ipctune.tune.goals import judge
from ipctune.tune.loop import tune
from ipctune.tune.model import Contribution, Goal, LoadResult, Outcome, Proof, Settings, TuneResult
from ipctune.tune.plan import Candidate
from ipctune.tune.proof import prove

HELPS = Does(rate=0.8, flat=0.4, cpu=0.6)
MORE = Does(rate=0.85, flat=0.7, cpu=0.9)


@dataclass
class Set:
    """A set of settings on the machine that is made of numbers, handed to the proof as winners."""

    machine: Machine
    journal: Journal
    monkeypatch: pytest.MonkeyPatch

    def knob(self, name: str, does: Does | None = None, **facts: object) -> Knob:
        if does is not None:
            self.machine.does[name, "1"] = does
        return make_knob(self.machine, name, "1", **facts)  # type: ignore[arg-type]

    def __call__(self, *knobs: Knob, asked: Settings | None = None) -> tuple[Proof, dict[str, dict[str, str]]]:
        install(self.machine, self.monkeypatch, *knobs)
        asked = asked or settings()
        winners = [Candidate(knob, {knob.id: "1"}, {knob.id: "0"}) for knob in knobs]
        with exclusive(self.journal), guarded(self.journal) as session:
            proof = prove(winners, asked, session, Clock(asked.seconds), random.Random(3), lambda _: None)
            session.deadline = 1.0  # what was kept stays in force when the context ends
        return proof, session.kept


@pytest.fixture
def together(machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Set:
    return Set(machine, journal, monkeypatch)


def words(proof: Proof) -> dict[str, Contribution]:
    return {one.knob: one.word for one in proof.apart}


def test_two_that_both_help_stay(together: Set) -> None:
    proof, kept = together(together.knob("one", HELPS), together.knob("two", MORE))
    assert words(proof) == {"one": Contribution.SHOWN, "two": Contribution.SHOWN}
    assert set(kept) == {"one", "two"}
    assert proof.held


def test_one_that_does_nothing_leaves_and_the_rest_is_proved_again(together: Set) -> None:
    proof, kept = together(together.knob("one", HELPS), together.knob("idles"))
    assert words(proof)["one"] is Contribution.SHOWN
    assert not next(one for one in proof.apart if one.knob == "idles").stays
    assert set(kept) == {"one"}
    assert together.machine.state == {"one": "1", "idles": "0"}
    assert proof.held
    assert proof.loads[1].p50.effect == pytest.approx(-0.6, abs=0.05)


def test_one_that_does_nothing_leaves_a_lease_that_helps(together: Set) -> None:
    lease = together.knob("lease", HELPS, kind=Kind.LEASE)
    proof, kept = together(together.knob("idles"), lease, asked=settings(goal=Goal.LATENCY))
    assert set(kept) == {"lease"}
    assert together.machine.state == {"idles": "0"}
    assert proof.held


def test_of_two_that_do_the_same_one_stays(together: Set) -> None:
    one, two = together.knob("one", HELPS), together.knob("two", HELPS)
    active = together.machine.active
    together.machine.active = lambda: active()[:1]  # type: ignore[method-assign]  # the other adds nothing to the one
    proof, kept = together(one, two)
    assert len(kept) == 1
    assert [one.stays for one in proof.apart] == [False]
    assert proof.held


def test_one_that_is_left_open_leaves(together: Set) -> None:
    together.machine.noise = 0.3
    proof, kept = together(together.knob("one", Does(rate=0.3, flat=0.1, cpu=0.2)), together.knob("idles"))
    assert words(proof)["idles"] is Contribution.UNDECIDED
    assert set(kept) == {"one"}


def test_without_time_the_set_stays_and_that_is_said(together: Set) -> None:
    proof, kept = together(together.knob("one", HELPS), together.knob("idles"), asked=settings(seconds=40.0))
    assert words(proof) == {"one": Contribution.NO_TIME, "idles": Contribution.NO_TIME}
    assert all(one.seconds for one in proof.apart)
    assert set(kept) == {"one", "idles"}


def test_it_stays_within_the_clock(together: Set) -> None:
    start = together.machine.now
    proof, _ = together(together.knob("one", HELPS), together.knob("idles"), together.knob("more", MORE))
    assert len(proof.apart) == 3
    assert together.machine.now - start <= settings().seconds


def test_one_alone_is_compared_with_nothing(together: Set) -> None:
    proof, kept = together(together.knob("one", HELPS))
    assert (proof.apart, set(kept)) == ((), {"one"})


def test_an_interrupt_puts_everything_back(together: Set) -> None:
    together.machine.interrupt_at = 150
    with pytest.raises(KeyboardInterrupt):
        together(together.knob("one", HELPS), together.knob("idles"))
    assert nothing_left(together.machine, together.journal)


class Noted:
    """A switch that only remembers."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said = name, said

    def on(self) -> None:
        self.said.append(f"+{self.name}")

    def off(self) -> None:
        self.said.append(f"-{self.name}")

    def spec(self, spec: str, *, on: bool) -> str:
        return f"{spec}{'+' if on else '-'}{self.name}"

    def own_cpu_ns(self) -> float:
        return 1.0


def test_without_one_the_others_are_on() -> None:
    said: list[str] = []
    a, b, c = (Noted(name, said) for name in "abc")
    without = Without((a, b, c), b)  # type: ignore[arg-type]
    without.on()
    without.off()
    assert said == ["+a", "+b", "+c", "-b", "+a", "+c"]
    assert without.spec("", on=False) == "+a-b+c"  # type: ignore[arg-type,comparison-overlap]
    assert without.own_cpu_ns() == 3.0


@pytest.mark.parametrize(
    ("loads", "word"),
    [
        ((load(1000.0), load(product=BETTER, p50=BETTER)), Contribution.SHOWN),
        ((load(1000.0), load(product=SAME)), Contribution.NONE),
        ((load(1000.0, product=WORSE), load(product=SAME)), Contribution.NONE),
        ((load(1000.0), load(product=UNDECIDED)), Contribution.UNDECIDED),
        ((load(1000.0, p50=WORSE), load(product=BETTER)), Contribution.NONE),
        ((load(1000.0, p50_bound=0.4, product=UNDECIDED), load(product=BETTER)), Contribution.SHOWN),
    ],
)
def test_only_a_benefit_that_is_shown_counts(loads: tuple[LoadResult, ...], word: Contribution) -> None:
    judged = judge(Goal.BALANCED, loads, idle_vcpus=None, max_cpu=0.1, max_idle_cpu=0.02)
    assert contribution(settings(), loads, judged) is word


def test_the_whole_run_says_who_left(machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.does["cpus", "same"] = Does(flat=0.1)
    machine.does["one", "1"] = HELPS
    machine.does["two", "1"] = replace(HELPS, flat=0.6)
    active = machine.active

    def first_alone() -> list[Does]:
        found = active()
        return found[:1] if len(found) > 1 else found

    machine.active = first_alone  # type: ignore[method-assign]
    knobs = (make_knob(machine, "one", "1"), make_knob(machine, "two", "1", helps=Cause.COPYING))
    found = _tuned(machine, journal, monkeypatch, knobs)
    assert set(found.kept) == {"one"}
    assert {t.knob: t.outcome for t in found.trials}["one"] is Outcome.KEPT
    left = next(t for t in found.trials if t.knob == "two")
    assert left.outcome in (Outcome.COVERED, Outcome.UNDECIDED)
    assert "beside the others: put back" in left.why


def _tuned(machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch, knobs: tuple[Knob, ...]) -> TuneResult:
    install(machine, monkeypatch, *knobs)
    asked = settings(seconds=400.0, only=tuple(knob.id for knob in knobs))
    with exclusive(journal) as recovered:
        return tune(host(), asked, journal, Told(), recovered)
