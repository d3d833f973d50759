"""The loop over a command of the user's: whatever its metric is, what is kept is proved by it, and failures end all."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import exp
from typing import Any

import pytest
from tests.unit.host.watched import made_rates
from tests.unit.tune.machine import Does, Machine, Told, host, install, make_knob, nothing_left, settings

from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.journal.session import exclusive
from ipctune.journal.store import Journal
from ipctune.knobs.model import Cause, Kind, Knob
from ipctune.report.causes import render_why
from ipctune.report.page import render_page
from ipctune.report.style import PLAIN
from ipctune.report.tune import render, render_plan, render_trial
from ipctune.report.verify import render as render_verify
from ipctune.report.watch import after_watch
from ipctune.tune.budget import shortage
from ipctune.tune.loop import tune
from ipctune.tune.model import Goal, Outcome, Settings, TuneResult
from ipctune.tune.plan import Candidate
from ipctune.tune.save import load, save, to_json
from ipctune.tune.verify import verify
from ipctune.workload.model import CommandLine, Load, Metric, Sample

HELPS = Does(flat=0.5, cpu=0.8)
LINE = CommandLine("work", "json:p50", lower_is_better=True)


@dataclass
class Fake:
    """A command that the machine's settings act upon: `length` seconds a run, its metric a time, or 1 / time."""

    machine: Machine
    higher: bool = False
    length: float = 0.3
    halts: int | None = 6000
    fails_at: int | None = None
    fails_with: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    name: str = "work"

    @property
    def loads(self) -> tuple[Load, ...]:
        return (Load("in a run of the command", metric=Metric("json:p50", self.higher)),)

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None: ...

    def adjusted(self, options: Mapping[str, str]) -> "Fake":
        return replace(self, options=options)

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        self.runs.append(seed)
        self.machine.sleep(self.length)
        if len(self.runs) == self.fails_at or self.fails_with in self.options:
            raise WorkloadFailed("the command failed: exit code 1")
        draw = random.Random(f"{seed} {len(self.runs)}")
        time, cpu = 0.25 * exp(draw.gauss(0, self.machine.noise)), 2e8 * exp(draw.gauss(0, 0.01))
        active = [*self.machine.active(), *(self.machine.does.get(o, Does()) for o in self.options.items())]
        for one in active:
            time *= one.flat
            cpu *= one.cpu
        return Sample(1 / time if self.higher else time, self.length, 0, round(cpu), 0, halts=self.halts)


@dataclass
class Loop:
    machine: Machine
    journal: Journal
    monkeypatch: pytest.MonkeyPatch
    told: Told
    fake: Fake

    def __call__(self, *knobs: Knob, **asked: Any) -> TuneResult:
        self.install(*knobs)
        with exclusive(self.journal) as recovered:
            wanted = settings(command=replace(LINE, lower_is_better=not self.fake.higher), **asked)
            return tune(host(), wanted, self.journal, self.told, recovered)

    def install(self, *knobs: Knob) -> None:
        from tests.unit.tune.machine import _Clock

        @contextmanager
        def opened(_settings: Settings) -> Iterator[Fake]:
            yield self.fake

        install(self.machine, self.monkeypatch, *knobs)
        self.monkeypatch.setattr("ipctune.tune.exposure.time", _Clock(self.machine))
        self.monkeypatch.setattr("ipctune.tune.exposure.halts", lambda: 0 if self.fake.halts is not None else None)
        for module in ("loop", "verify"):
            self.monkeypatch.setattr(f"ipctune.tune.{module}.opened", opened)

    def knob(self, name: str, does: Does | None = None, **facts: Any) -> Knob:
        if does is not None:
            self.machine.does[name, "1"] = does
        return make_knob(self.machine, name, "1", **facts)


@pytest.fixture
def loop(machine: Machine, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(machine, journal, monkeypatch, Told(), Fake(machine))


@pytest.mark.parametrize("goal", [Goal.BALANCED, Goal.LATENCY, Goal.THROUGHPUT])
@pytest.mark.parametrize("higher", [False, True])
def test_what_helps_its_metric_is_proved_and_kept(loop: Loop, goal: Goal, higher: bool) -> None:
    loop.fake.higher = higher
    found = loop(loop.knob("helps", HELPS), loop.knob("idles"), goal=goal)
    assert found.kept == {"helps": {"helps": "1"}}
    assert [t.outcome for t in found.trials] == [Outcome.KEPT, Outcome.NO_GAIN]
    assert found.proof is not None
    (one,) = found.proof.loads
    assert one.metric == Metric("json:p50", higher)
    assert (one.now.p50_ns, one.now.messages_per_second, one.p99_worse) == (None, 0, None)
    assert one.now.figure == pytest.approx(4 if higher else 0.25, rel=0.1)
    assert one.p50.effect == pytest.approx(1 if higher else -0.5, abs=0.1)
    assert one.p50.word == "better"
    assert loop.machine.blocks == 0  # the built-in pair took no part in any of it


@pytest.mark.parametrize("goal", [Goal.BALANCED, Goal.LATENCY, Goal.THROUGHPUT])
@pytest.mark.parametrize("higher", [False, True])
def test_what_harms_its_metric_is_not_kept(loop: Loop, goal: Goal, higher: bool) -> None:
    loop.fake.higher = higher
    found = loop(loop.knob("harms", Does(flat=1.5, cpu=0.9)), goal=goal)
    assert found.kept == {}
    assert found.trials[0].loads[0].p50.word == "worse"
    assert nothing_left(loop.machine, loop.journal)


def test_for_cpu_the_price_of_a_run_counts(loop: Loop) -> None:
    found = loop(loop.knob("cheap", Does(cpu=0.7)), loop.knob("fast", Does(flat=0.5)), goal=Goal.CPU)
    assert found.kept == {"cheap": {"cheap": "1"}}


def test_balanced_weighs_the_price_against_the_metric(loop: Loop) -> None:
    loop.fake.higher = True
    found = loop(loop.knob("dear", Does(flat=0.8, cpu=2.0)))
    assert [t.outcome for t in found.trials] == [Outcome.REJECTED]
    assert found.trials[0].why == "metric × price: worse in a run of the command; metric better in a run of the command"


def test_pure_noise_keeps_nothing(loop: Loop) -> None:
    loop.machine.noise = 0.3
    found = loop(*(loop.knob(f"k{i}") for i in range(4)))
    assert found.kept == {}
    assert {t.outcome for t in found.trials} <= {Outcome.NO_GAIN, Outcome.UNDECIDED}


def test_what_belongs_to_the_program_is_tried_on_it_alone_and_ends_as_advice(loop: Loop) -> None:
    loop.machine.does["cpus", "same"] = HELPS
    placement = replace(make_knob(loop.machine, "cpus", "same", kind=Kind.OPTION), id="placement")
    pipe = replace(make_knob(loop.machine, "capacity", "9", kind=Kind.OPTION), id="pipe-capacity")
    found = loop(placement, pipe)
    assert [(t.knob, t.outcome) for t in found.trials] == [("placement", Outcome.ADVICE)]
    assert "can't be changed from outside" in found.not_tried[0].why
    text = render(found, PLAIN)
    assert "may explain up to 61 % of the time" in text
    assert "the command on one vCPU: metric -4" in text
    assert "Start it with `taskset -c VCPU`: nothing is set." in " ".join(text.split())
    assert loop.machine.started == []


def test_an_option_that_the_command_does_not_take_is_refused_and_the_rest_goes_on(loop: Loop) -> None:
    loop.fake.fails_with = "cpus"
    placement = replace(make_knob(loop.machine, "cpus", "same", kind=Kind.OPTION), id="placement")
    found = loop(placement, loop.knob("helps", HELPS))
    assert {t.knob: t.outcome for t in found.trials} == {"helps": Outcome.KEPT, "placement": Outcome.REFUSED}
    assert found.trials[1].why == "with it, the command failed: exit code 1"


@pytest.mark.parametrize("run", [1, 3, 20, 100])
def test_a_failing_run_ends_everything_and_nothing_is_changed(loop: Loop, run: int) -> None:
    loop.fake.fails_at = run
    with pytest.raises(WorkloadFailed, match="exit code 1"):
        loop(loop.knob("idles"), loop.knob("helps", HELPS))
    assert nothing_left(loop.machine, loop.journal)
    assert loop.journal.active() is None


def test_a_workload_that_is_not_possible_is_no_refusal_of_a_setting(loop: Loop) -> None:
    sample = loop.fake.sample

    def refuse(load: Load, seconds: float, seed: int) -> Sample:
        if len(loop.fake.runs) > 20:
            raise NotPossible("no more")
        return sample(load, seconds, seed)

    loop.fake.sample = refuse  # type: ignore[method-assign]
    with pytest.raises(WorkloadFailed, match="no more"):
        loop(loop.knob("helps", HELPS))
    assert nothing_left(loop.machine, loop.journal)


# The watch before it.


def test_a_larger_cause_than_ipc_is_shown_and_does_not_stop_it(loop: Loop) -> None:
    loop.machine.rates = made_rates(vcpus=tuple(replace(v, busy=1.0) for v in made_rates().vcpus), run_wait_ms=900.0)
    found = loop(loop.knob("helps", HELPS))
    assert found.watch is not None
    assert found.watch.stops
    assert (found.stopped, found.settings.watch_stops) == ("", False)
    assert [goes_on for _, goes_on in loop.told.watches] == [True]
    assert found.kept == {"helps": {"helps": "1"}}
    assert "with your command" in after_watch(found.watch, goes_on=True, named="your command")


# Evidence and plan.


@pytest.mark.parametrize(("halts", "named"), [(6000, "halted-wake"), (0, "none"), (None, "unknown")])
def test_what_halts_while_it_runs_says_whether_it_is_exposed(loop: Loop, halts: int | None, named: str) -> None:
    loop.fake.halts = halts
    found = loop(loop.knob("helps", HELPS))
    assert found.bottleneck == named
    assert bool(found.trials) == (named != "none")


def test_a_share_that_nothing_tells_is_no_bottleneck_and_not_0(loop: Loop) -> None:
    loop.fake.halts = None
    found = loop(loop.knob("nothing"))
    assert found.bottleneck == "unknown"
    why = " ".join(render_why(loop.told.evidence[0], PLAIN).split())
    assert "-> The bottleneck could not be told: nothing here shows how much waking a halted vCPU takes" in why
    for said in (" ".join(render(found, PLAIN).split()), render_page(found, host()), why):
        assert "The bottleneck: waking" not in said
        assert "0 % of" not in said
    bare = " ".join(render(replace(found, trials=()), PLAIN).split())
    assert "How much waking a halted vCPU takes could not be told, and nothing here could be tried." in bare


def test_the_bound_is_halts_a_second_times_what_one_costs(loop: Loop) -> None:
    loop(loop.knob("helps", HELPS))
    (cause,) = loop.told.evidence[0].bottlenecks
    slow, awake = 45_000.0 + 1_000_000 / 50, 4200.0
    assert cause.high == pytest.approx(6000 / 0.3 * (slow - awake) / 2 / 1e9)
    text = render_why(loop.told.evidence[0], PLAIN)
    assert "json:p50 (lower is better): 0.2" in text
    assert "at most 61 %" in text


def test_only_tries_it_all_the_same(loop: Loop) -> None:
    loop.fake.halts = 0
    found = loop(loop.knob("helps", HELPS, helps=Cause.COPYING), only=("helps",))
    assert found.kept == {"helps": {"helps": "1"}}


def test_a_long_command_is_told_what_time_it_needs_before_anything_is_tried(loop: Loop) -> None:
    loop.fake.length = 2.0
    found = loop(*(loop.knob(f"k{i}") for i in range(4)), seconds=180.0)
    (note,) = loop.told.plans[0].notes
    assert note.endswith("need --time 8m; it fits 1 of 4: the k0 setting")
    assert note.split(";")[0] in " ".join(render_plan(loop.told.plans[0], 100, "undo", (), PLAIN).split())
    assert [t.knob for t in found.trials] == ["k0"]
    assert {n.knob for n in found.not_tried if n.seconds} == {"k1", "k2", "k3"}
    assert "k1 1: no time left (needs 54 s more)" in render(found, PLAIN)


def test_where_the_time_is_enough_nothing_is_said(loop: Loop) -> None:
    loop(loop.knob("helps", HELPS))
    assert loop.told.plans[0].notes == ()
    assert shortage((), settings(), 1, 0.0) == ""


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (1000.0, ""),
        (60.0, "30 pairs of each setting, which 3 loads may take, need --time 4m; 12 fit 1 of 1: the k setting"),
        (20.0, "need --time 4m; 12 fit none of them"),
    ],
)
def test_a_server_with_several_loads_is_told_what_time_is_surely_enough(loop: Loop, left: float, says: str) -> None:
    knob = loop.knob("k")
    asked = settings(workload="redis")
    note = shortage([Candidate(knob, {"k": "1"}, {"k": "0"})], asked, 3, left)
    assert note.endswith(says)
    assert bool(note) == bool(says)


# Afterwards.


def test_the_screens_show_the_metric_and_not_a_median(loop: Loop) -> None:
    loop.fake.higher = True
    found = loop(loop.knob("helps", HELPS))
    text = render(found, PLAIN) + render_trial(found.trials[0], Goal.BALANCED, PLAIN)
    assert "metric " in text
    assert "metric × price -" in text
    assert re_figures(text) > 0
    assert "p50" not in text
    assert "median" not in text


def re_figures(text: str) -> int:
    """Lines such as `a run of the command   4.0 -> 8.0   +100 % (+98 … +102)   0.67 -> 0.53`."""
    import re

    return len(
        re.findall(r"a run of the command +[34]\.\d+ -> [78]\.\d+ +\+\d+ % \(\+\d+ … \+\d+\) +0\.\d+ -> 0\.\d+", text)
    )


def test_a_saved_run_comes_back_whole_and_verify_repeats_the_command(loop: Loop) -> None:
    found = loop(loop.knob("helps", HELPS))
    save(loop.journal.state, found)
    again = load(loop.journal.state, f"runs/{found.run}.json")
    assert to_json(again) == to_json(found)
    assert again.settings.command == LINE
    assert again.settings.block == pytest.approx(0.3)

    runs = len(loop.fake.runs)
    checked = verify(host(), again.settings, loop.journal, 10.0, lambda _: None)
    assert checked.word == "still helps"
    assert len(loop.fake.runs) - runs == 2 * checked.pairs
    assert "metric × price better in a run of the command" in render_verify(checked, PLAIN)
    loop.machine.does.clear()
    assert verify(host(), again.settings, loop.journal, 10.0, lambda _: None).word == "no longer"
