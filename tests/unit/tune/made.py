"""Results made by hand: effects, loads, trials and whole runs with every figure chosen by the test."""

from dataclasses import replace
from typing import Any

from ipctune.tune.model import (
    Apart,
    ArmFigures,
    Contribution,
    Effect,
    LoadResult,
    Outcome,
    Proof,
    Settings,
    Trial,
    TuneResult,
)

__all__ = ["BETTER", "SAME", "UNDECIDED", "WORSE", "apart", "effect", "figures", "load", "proof", "result", "trial"]


def effect(word: str, value: float, half: float = 0.02, **changes: Any) -> Effect:
    """An effect of that word with an interval of that half width."""
    made = Effect(word, value, value - half, value + half, 20, 0.06)
    return replace(made, **changes)


BETTER = effect("better", -0.5)
WORSE = effect("worse", 0.5)
SAME = effect("no difference", 0.0)
UNDECIDED = effect("undecided", 0.0, 0.2)


def figures(p50_us: float = 45.0, price: float = 0.2) -> ArmFigures:
    """One arm; p99 is known."""
    return ArmFigures(p50_us * 1000, p50_us * 2000, 1e6 / p50_us, 30_000.0, 35_000.0, price, 0.01, 20_000)


def load(rate: float = 0.0, **changes: Any) -> LoadResult:
    """A load at which nothing differs, but for `changes`."""
    made = LoadResult(
        rate=rate,
        placement="across",
        now=figures(),
        tried=figures(),
        p50=SAME,
        product=SAME,
        price=SAME,
        throughput=SAME,
        p50_bound=0.02,
        p99_worse=False,
        extra_vcpus=0.0,
    )
    return replace(made, **changes)


def trial(outcome: Outcome, knob: str = "haltpoll", **changes: Any) -> Trial:
    """A trial with figures at both loads."""
    made = Trial(
        knob=knob,
        title="haltpoll guest_halt_poll_ns",
        value={"guest_halt_poll_ns": "200000"},
        was={"guest_halt_poll_ns": "0"},
        outcome=outcome,
        why="latency × price: no difference at 1,000/s, no difference as fast as it goes",
        loads=(load(1000.0), load()),
        blocks=96,
    )
    return replace(made, **changes)


def proof(held: bool = True) -> Proof:
    """The kept set halves p50 flat out, or does not."""
    better = load(tried=figures(22.0), p50=BETTER, product=BETTER)
    why = "latency × price better as fast as it goes" if held else "latency × price: undecided at 1,000/s"
    return Proof((load(1000.0), better if held else load()), held, why, 0.01, 12)


def apart(word: Contribution, knob: str = "haltpoll", **changes: Any) -> Apart:
    """A member of the set, measured at both loads, or not at all where there was no time."""
    made = Apart(knob, f"the {knob} setting", {"x": "1"}, word, "why", (load(1000.0), load(product=SAME)), 12)
    return replace(made, loads=(), pairs=0, seconds=44.0, **changes) if word is Contribution.NO_TIME else made


def result(**changes: Any) -> TuneResult:
    """A whole run in which nothing was tried."""
    made = TuneResult(
        version="0.1.0",
        run="tune-20260102T030405Z",
        started=1.7e9,
        finished=1.7e9 + 180,
        host="vm",
        kernel="6.1.0",
        cpus=2,
        memory_bytes=2 << 30,
        settings=Settings(),
        baseline_p50_ns=45_000.0,
        awake_p50_ns=4200.0,
        bottlenecks=(),
        bottleneck="none",
        refusals=(),
        trials=(),
        not_tried=(),
        proof=None,
        kept={},
        until=None,
        advice=(),
        recovered=(),
    )
    return replace(made, **changes)
