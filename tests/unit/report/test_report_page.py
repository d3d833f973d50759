"""The page of a run: what was measured, tried, kept; how to undo it; and nobody's name."""

from dataclasses import replace

import pytest
from tests.unit.host.watched import made_rates
from tests.unit.tune.machine import host
from tests.unit.tune.made import BETTER, apart, figures, load, proof, result, trial

from ipctune.bench.spec import Spec
from ipctune.host.model import Host
from ipctune.host.model_watch import Ceiling, WaitCause, Watch
from ipctune.report.page import render_page
from ipctune.tune.model import (
    Advice,
    Bottleneck,
    Contribution,
    Goal,
    NotTried,
    Outcome,
    Refusal,
    Settings,
    TuneResult,
)
from ipctune.tune.pareto import fronts
from ipctune.workload.model import CommandLine, Metric

HALTED = Bottleneck("halted-wake", "waking a halted vCPU", 0.9, 0.85, 0.93, ("45.0 µs a message; 4.2 µs without",))


def kept() -> TuneResult:
    trials = (
        trial(Outcome.KEPT, idle_vcpus=0.0, loads=(load(1000.0), load(p50=BETTER, tried=figures(22.0)))),
        trial(Outcome.ADVICE, knob="placement", title="both sides on one vCPU", value={"cpus": "same"}),
    )
    return result(
        bottlenecks=(HALTED,),
        bottleneck="halted-wake",
        trials=trials,
        proof=replace(proof(), apart=(apart(Contribution.SHOWN),)),
        kept={"haltpoll": {"guest_halt_poll_ns": "200000"}},
        until=1.7e9,
        fronts=fronts(trials),
        not_tried=(NotTried("resume-latency", "n/a: no time left", 22.0),),
    )


def named() -> Host:
    return replace(host(), hostname="web1")


def test_it_says_all_that_a_reader_needs() -> None:
    page = render_page(kept(), named())
    for part in (
        "- Measured: two processes, ping-pong of 64 bytes through pipe, for 3 min",
        "- Goal: `balanced`; by ipctune 0.1.0",
        "- **waking a halted vCPU: 90 % of the time (85 … 93)** (45.0 µs a message; 4.2 µs without)",
        "| haltpoll guest_halt_poll_ns 200000 | as fast as it goes | 45.0 µs -> 22.0 µs | -50 % (-52 … -48) |",
        "- resume-latency n/a: no time left: it needs 22 s more",
        "GAIN AGAINST PRICE",
        "- **haltpoll guest_halt_poll_ns**: 0 -> 200000; on an idle machine it polls 0.00 vCPU",
        "12 pairs measured after the decision",
        "contributes beside the others",
        "`ipctune revert`",
        "`sh undo.sh`",
        "- both sides on one vCPU same: ",
        "## What to ask the hosting company for",
        "Is `halt_poll_ns` of the host's kvm module 0",
    ):
        assert part in page
    assert page.count("```") == 2


def test_tables_have_as_many_cells_as_their_head() -> None:
    rows = [line for line in render_page(kept(), named()).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {7, 6}


@pytest.mark.parametrize(
    "made",
    [
        kept(),
        result(),
        result(stopped="full-vcpu"),
        result(interrupted=True, trials=(trial(Outcome.UNDECIDED),)),
        result(trials=(trial(Outcome.REFUSED, loads=()),), proof=proof(held=False)),
        result(refusals=(Refusal("msgsnd", "EINVAL", "kernel.msgmax", "msgsnd: EINVAL"),)),
        result(settings=Settings(workload="redis", spec=Spec())),
    ],
)
def test_every_run_has_its_page(made: TuneResult) -> None:
    page = render_page(made, named())
    assert "## What was kept" in page
    assert "How it was measured" in page
    assert ("`ipctune revert`" in page) == bool(made.kept)


def test_nobody_is_named() -> None:
    line = CommandLine("curl -u alice:hunter2 http://203.0.113.9/ | x", "took ([0-9]+) on web1", folder="/home/alice")
    own = load(metric=Metric(line.metric), p50=BETTER, name="in a run of the command")
    made = replace(
        kept(),
        host="web1",
        settings=Settings(command=line, goal=Goal.LATENCY),
        trials=(trial(Outcome.REFUSED, loads=(own,), why="with it, /home/alice/x on web1 failed: fe80::1 bob"),),
        advice=(Advice("bob's x (pid 4) at 52:54:00:12:34:56 holds /dev/cpu_dma_latency"),),
        kept={},
    )
    page = render_page(made, named(), {"alice", "bob", "/home/alice"})
    for secret in ("web1", "alice", "bob", "203.0.113.9", "fe80::1", "52:54", "hunter2", "curl", "took"):
        assert secret not in page
    assert "a command of the owner's by the figure that it prints (higher is better)" in page


@pytest.mark.parametrize("cause", list(WaitCause))
def test_every_answer_of_the_watch_has_its_words(cause: WaitCause) -> None:
    rates = made_rates()
    watch = Watch(rates, Ceiling(1000.0, 48_000.0, 3000.0, "", 45_000.0, 12.0), (), cause, "why", stops=False)
    page = render_page(result(watch=watch), named())
    assert "- The machine's own programs, watched for " in page
    assert "at most 45.0 µs a hop, 12.0 ms a second in all" in page
    assert [p.name for p in rates.programs if f" {p.name} " in page] == []


def test_a_workload_file_of_the_owners_is_theirs_to_name() -> None:
    page = render_page(result(settings=Settings(workload="/srv/shop/mine.toml")), named())
    assert "- Measured: a workload of the owner's" in page
    assert "shop" not in page
