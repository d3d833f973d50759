"""The screens of `tune`: what leads, what each kind of empty result says, and no figure that is not in the result."""

import re
from dataclasses import replace

import pytest
from tests.unit.tune.machine import Machine, evidence, host, install, make_knob, settings
from tests.unit.tune.made import BETTER, UNDECIDED, WORSE, effect, figures, load, proof, result, trial

from ipctune.knobs.model import Kind
from ipctune.report.causes import render_why
from ipctune.report.style import PLAIN, Style
from ipctune.report.tune import render, render_plan, render_trial
from ipctune.report.words import duration, micro, percent
from ipctune.tune.evidence import Evidence
from ipctune.tune.model import Advice, Bottleneck, Goal, NotTried, Outcome, Refusal, Settings, TuneResult
from ipctune.tune.plan import Plan, make_plan

HALTED = Bottleneck("halted-wake", "waking a halted vCPU", 0.9, 0.85, 0.93, ("45.0 µs a message; 4.2 µs without",))
FIGURE = re.compile(r"[-+]?\d[\d,.]*\s?(?:%|µs|×|times|x\b)")
DEAR = trial(
    Outcome.REJECTED,
    knob="cpu-dma-latency",
    title="wake-up latency request",
    value={"latency_us": "0"},
    why="costs 1.95 vCPU more at 1,000/s (bound: 0.1)",
    loads=(load(1000.0, p50=BETTER, tried=figures(22.0, 2.0), extra_vcpus=1.8), load()),
)


def kept() -> TuneResult:
    return result(
        bottlenecks=(HALTED,),
        bottleneck="halted-wake",
        trials=(trial(Outcome.KEPT, idle_vcpus=0.0),),
        proof=proof(),
        kept={"haltpoll": {"guest_halt_poll_ns": "200000"}},
        until=1.7e9,
    )


def lead(made: TuneResult) -> str:
    """The first line of the result's own text."""
    return render(made, PLAIN).splitlines()[1].strip()


# What was kept.


def test_what_is_kept_leads_with_now_and_then_the_proof_and_how_to_go_on() -> None:
    text = render(kept(), PLAIN)
    assert lead(kept()) == "haltpoll guest_halt_poll_ns: 0 -> 200000"
    for part in (
        "idle price 0.00 vCPU polling",
        "-50 % (-52 … -48)",
        "45.0 -> 22.0",
        "12 pairs measured after the decision; the baseline drifted by +1.0 %",
        "ACTIVE UNTIL ",
        "(10 min)",
        "ipctune commit",
        "ipctune keep --for 24h",
        "ipctune revert",
        "ipctune why haltpoll",
    ):
        assert part in text


def test_a_limit_that_was_raised_says_what_it_removed() -> None:
    raised = trial(Outcome.KEPT, knob="kernel.msgmax", title="largest System V message", loads=(), blocks=0)
    raised = replace(raised, was={"a": "8192"}, value={"a": "65536"}, why="msgsnd answered EINVAL without it")
    text = render(result(trials=(raised,), kept={"kernel.msgmax": {"a": "65536"}}, until=1.7e9), PLAIN)
    assert "largest System V message: 8192 -> 65536" in text
    assert "msgsnd answered EINVAL without it" in text


# What was not: never a bare no.


EMPTY = {
    "nothing to gain": (result(shown_within=0.06), "Nothing to gain here, shown to within 6 %"),
    "nothing shown": (result(shown_within=0.41), "Undecided: up to 41 % may be there to gain."),
    "nothing looked at": (result(), "Undecided: anything may be there to gain."),
    "no root": (
        result(
            bottlenecks=(HALTED,), bottleneck="halted-wake", needs_root=("haltpoll",), trials=(trial(Outcome.ADVICE),)
        ),
        "Waking a halted vCPU explains 90 % of the time. What can help needs root:",
    ),
    "better in its own figure": (
        result(
            bottlenecks=(HALTED,),
            bottleneck="halted-wake",
            settings=Settings(goal=Goal.CPU),
            trials=(trial(Outcome.REJECTED, loads=(load(price=BETTER, p50=WORSE),)),),
        ),
        "haltpoll guest_halt_poll_ns 200000 helps, but `cpu` does not keep it:",
    ),
    "another goal": (
        result(bottlenecks=(HALTED,), bottleneck="halted-wake", trials=(DEAR,)),
        "wake-up latency request 0 helps, but `balanced` does not keep it:",
    ),
    "undecided": (result(bottleneck="halted-wake", trials=(trial(Outcome.UNDECIDED),)), "Undecided: too noisy"),
    "refused": (
        result(bottleneck="refused", refusals=(Refusal("msgsnd", "EINVAL", "kernel.msgmax", "msgsnd: EINVAL"),)),
        "msgsnd: EINVAL",
    ),
    "no proof": (
        result(bottleneck="halted-wake", trials=(trial(Outcome.KEPT),), proof=proof(held=False)),
        "The proof did not hold: latency × price: undecided at 1,000/s. Everything is",
    ),
    "nothing helps": (
        result(bottlenecks=(HALTED,), bottleneck="halted-wake", trials=(trial(Outcome.NO_GAIN),)),
        "Waking a halted vCPU explains 90 % of the time",
    ),
}


@pytest.mark.parametrize(("made", "first"), EMPTY.values(), ids=EMPTY.keys())
def test_every_empty_result_leads_with_what_there_is(made: TuneResult, first: str) -> None:
    assert lead(made).startswith(first)
    assert "nothing kept" not in render(made, PLAIN).lower()


def test_the_best_under_another_goal_comes_with_figures_price_and_command() -> None:
    text = render(EMPTY["another goal"][0], PLAIN)
    assert "-50 % (-52 … -48)" in text
    assert "0.20 -> 2.00" in text
    assert DEAR.why in text
    assert "ipctune tune --goal latency --only cpu-dma-latency" in text


def test_advice_comes_with_its_figure() -> None:
    advised = trial(Outcome.ADVICE, knob="placement", title="both sides on one vCPU", loads=(load(p50=BETTER),))
    text = render(result(trials=(advised,), advice=(Advice("boot with x", "not tried"),)), PLAIN)
    assert "boot with x (not tried)" in text
    assert "both sides on one vCPU: median -50 % (-52 … -48) as fast as it goes" in text


def test_what_got_no_time_and_what_was_spoiled_is_said() -> None:
    left = (NotTried("haltpoll", "200000: no time left", 22.0), NotTried("placement", "left out by --only"))
    text = render(result(not_tried=left, trials=(trial(Outcome.NO_GAIN, spoiled=3),)), PLAIN)
    assert "haltpoll 200000: no time left (needs 22 s more)" in text
    assert "3 of 96 blocks were spoiled" in text
    assert "placement" not in text
    assert "placement: left out by --only" in render(result(not_tried=left), PLAIN, details=True)


def test_an_interrupted_run_says_that_everything_is_back() -> None:
    text = render(result(interrupted=True, trials=(DEAR,), bottleneck="halted-wake"), PLAIN)
    assert "interrupted: everything is back" in text
    assert "wake-up latency request" in text


def test_what_was_restored_first_is_named() -> None:
    text = render(result(recovered=("/proc/sys/x: restored",)), PLAIN)
    assert "left by an earlier run: /proc/sys/x: restored" in text


# Known to be wrong; each goes with its repair.


def test_no_claim_about_settings_that_got_no_time() -> None:
    left = (NotTried("haltpoll", "200000: no time left", 22.0),)
    assert "no setting" not in render(result(bottlenecks=(HALTED,), bottleneck="halted-wake", not_tried=left), PLAIN)


def test_a_goal_that_would_not_keep_it_is_not_advised() -> None:
    harmful = replace(DEAR, loads=(DEAR.loads[0], load(p99_worse=True)), why="p99 is worse as fast as it goes")
    assert "--goal latency" not in render(result(bottleneck="halted-wake", trials=(harmful,)), PLAIN)


def test_an_interrupted_run_shows_what_had_won_by_then() -> None:
    won = trial(Outcome.KEPT, loads=(load(p50=BETTER, product=BETTER),))
    assert "haltpoll" in render(result(interrupted=True, trials=(won,), bottleneck="halted-wake"), PLAIN)


def test_what_helps_and_harms_is_named_under_latency_too() -> None:
    harmful = replace(DEAR, loads=(DEAR.loads[0], load(p50=WORSE)), why="p50 is worse as fast as it goes")
    asked = Settings(goal=Goal.LATENCY)
    assert "p50 is worse" in render(result(settings=asked, bottleneck="halted-wake", trials=(harmful,)), PLAIN)


# No figure that was not measured here.


def test_a_run_without_figures_shows_none() -> None:
    assert FIGURE.findall(render(result(), PLAIN)) == []
    assert FIGURE.findall(render(result(bottleneck="halted-wake"), PLAIN)) == []


def test_every_figure_of_a_trial_is_one_of_its_own() -> None:
    made = trial(Outcome.NO_GAIN, loads=(load(1000.0, p50=effect("undecided", -0.031, 0.2)),), why="none")
    told = {text.replace(" ", "") for text in FIGURE.findall(render_trial(made, Goal.BALANCED, PLAIN))}
    own = made.loads[0]
    known = {micro(own.now.p50_ns), micro(own.tried.p50_ns), percent(own.p50.effect), f"{own.p50.could_have_seen:.0%}"}
    known |= {percent(own.product.effect)}
    assert told <= {text.replace(" ", "") for text in known}


def test_an_undecided_trial_says_what_it_could_have_seen() -> None:
    made = trial(Outcome.UNDECIDED, loads=(load(product=UNDECIDED),))
    assert "latency × price +0.0 % (-20 … +20): undecided; 6 % would have shown" in render_trial(
        made, Goal.BALANCED, PLAIN
    )


def test_too_few_pairs_for_an_interval_are_said() -> None:
    made = trial(Outcome.REJECTED, loads=(load(p50=effect("undecided", 0.1, low=None, high=None, pairs=3)),))
    assert "+10 % (3 pairs: too few)" in render_trial(made, Goal.BALANCED, PLAIN)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_line(outcome: Outcome) -> None:
    text = render_trial(trial(outcome), Goal.BALANCED, PLAIN)
    assert outcome.value in text.lower()
    assert "latency × price" in text


def test_a_load_that_falls_behind_is_said() -> None:
    made = trial(Outcome.NO_GAIN, loads=(load(20_000.0, keeps_up=False),))
    assert "falls behind that rate" in render_trial(made, Goal.BALANCED, PLAIN)


def test_causes_that_were_not_looked_at_are_named() -> None:
    text = render(result(shown_within=0.06, bottlenecks=(), unseen=("run-queue wait (needs root: SCHED_FIFO)",)), PLAIN)
    assert "Not looked at: run-queue wait (needs root: SCHED_FIFO)." in text


# Why and plan.


def test_why_names_the_bottleneck_with_share_interval_and_evidence() -> None:
    text = render_why(evidence(), PLAIN)
    for part in (
        "waking a halted vCPU",
        "90 % (85 … 93)",
        "45.0 µs a message",
        "The bottleneck: waking a halted vCPU.",
    ):
        assert part in text


def test_what_the_user_named_and_can_not_be_tried_is_told_with_its_reason() -> None:
    left = (NotTried("haltpoll", "no haltpoll governor here"), NotTried("other", "left out by --only"))
    text = render_plan(Plan((), left, (), ()), 1.0, "undo", (), PLAIN, only=("haltpoll", "tried"))
    assert "Not tried, though named: haltpoll: no haltpoll governor here." in text
    assert "Not tried: 1 other settings" in text
    assert "other: left out" not in text
    bare = result(not_tried=left, settings=replace(result().settings, only=("haltpoll",)))
    assert "though named: haltpoll" in render(bare, PLAIN)


def test_why_says_none_and_unknown() -> None:
    unknown = Bottleneck("copying", "copying", None, None, None, ("not looked at: x",))
    text = render_why(Evidence((unknown,), "none", None, {}, None), PLAIN)
    assert "No bottleneck that this tool knows of." in text
    assert "unknown" in text


def test_the_plan_lists_settings_scope_return_and_every_path(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = (
        make_knob(machine, "a", "1"),
        make_knob(machine, "always", "1", kind=Kind.LEASE, always_polls=True),
        make_knob(machine, "absent"),
    )
    install(machine, monkeypatch, *knobs)
    plan = make_plan(host(), settings(), evidence())
    text = render_plan(plan, 170.0, "/var/lib/ipctune/undo.sh", ("/var/lib/ipctune",), PLAIN)
    for part in (
        "about 2 min 50 s",
        "the a setting",
        "0 -> 1",
        "host",
        "restored",
        "(short look)",
        "Not tried: 1 other settings",
        "Writes nothing but:\n     /proc/sys/fake/a\n     /var/lib/ipctune",
        "sh /var/lib/ipctune/undo.sh",
    ):
        assert part in text


@pytest.fixture
def machine() -> Machine:
    return Machine()


# Shape.


@pytest.mark.parametrize("made", [kept(), *(made for made, _ in EMPTY.values())])
def test_colour_changes_nothing_but_colour(made: TuneResult) -> None:
    painted = render(made, Style(on=True))
    assert re.sub(r"\x1b\[\d+m", "", painted) == render(made, PLAIN)


@pytest.mark.parametrize(
    ("seconds", "text"), [(9.6, "10 s"), (60, "1 min"), (160, "2 min 40 s"), (86400, "24 h"), (9000, "2 h 30 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_of_loads_fits_80_columns() -> None:
    far = replace(effect("better", -0.894, low=-0.912), high=-0.876)
    made = trial(Outcome.KEPT, loads=(load(1000.0, p50=far), load(p50=far), load(20_000.0, p50=UNDECIDED)))
    assert [line for line in render_trial(made, Goal.BALANCED, PLAIN).splitlines() if len(line) > 80] == []
