"""All candidates, one after another: who gets how much time, and what becomes of each."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ipctune.errors import IpctuneError, NotPossible
from ipctune.host.polltime import idle_vcpus
from ipctune.journal.store import Journal
from ipctune.knobs.model import Kind
from ipctune.tune.beside import HARM, Beside
from ipctune.tune.budget import LEAST_PAIRS, Clock, pairs_for, seconds_for, stays
from ipctune.tune.goals import Judgement, figure_name, judge, lower, metric, name
from ipctune.tune.guard import Check, Stopped, nobody_looks
from ipctune.tune.measure import Pairs
from ipctune.tune.model import Goal, LoadResult, NotTried, Outcome, Settings, Trial
from ipctune.tune.model_guard import Bystander
from ipctune.tune.plan import Candidate, Plan
from ipctune.tune.point import Point, points_of
from ipctune.tune.switch import Switch, switched
from ipctune.tune.trial import Tried, load_result, try_out
from ipctune.workload.model import Workload

__all__ = ["LEAST_PAIRS", "Clock", "Told", "run_trials"]


class Told(Protocol):
    """The part of a listener that trials use."""

    def tick(self, text: str) -> None: ...

    def tried(self, trial: Trial) -> None: ...


def run_trials(
    plan: Plan,
    settings: Settings,
    journal: Journal | None,
    told: Told,
    trials: list[Trial],
    not_tried: list[NotTried],
    clock: Clock,
    rng: random.Random,
    workload: Workload | None = None,
    check: Check = nobody_looks,
) -> list[Candidate]:
    """Fill `trials` and `not_tried`; returns the candidates to be proved and kept."""
    points = points_of(settings, workload)
    loads = len(points)
    end = time.monotonic() + clock.trials()
    family = loads * max(1, sum(not c.reference for c in plan.candidates))
    waiting = list(plan.candidates)
    winning = _Winning(
        _IdlePrice(settings.idle), Beside(settings.spec, settings.beside, settings.rest, rng), check, told.tick
    )
    winners: list[tuple[Candidate, Trial]] = []
    while waiting:
        candidate = waiting.pop(0)
        if any(w.knob.id == candidate.knob.id for w, _ in winners):
            not_tried.append(NotTried(candidate.knob.id, f"{_value(candidate)}: another value of it wins already"))
            continue
        most = pairs_for(candidate, waiting, settings, loads, end - time.monotonic())
        if most == 0:
            needs = seconds_for(candidate, settings, loads)
            not_tried.append(NotTried(candidate.knob.id, f"{_value(candidate)}: no time left", needs))
            continue
        try:
            trial = _one(candidate, points, settings, journal, told, most, family, rng, winning)
        except _InterruptedTrial as cut:
            trials.append(cut.trial)
            raise cut.cause from None
        trials.append(trial)
        told.tried(trial)
        waiting.sort(key=lambda c: c.knob.id == candidate.knob.id)  # other knobs before another value of this one
        if trial.outcome is Outcome.KEPT:
            winners.append((candidate, trial))
    return _best(winners, trials, settings.goal)


def _value(candidate: Candidate) -> str:
    return candidate.knob.describe(candidate.value)


def _one(
    candidate: Candidate,
    points: Sequence[Point],
    settings: Settings,
    journal: Journal | None,
    told: Told,
    most: int,
    family: int,
    rng: random.Random,
    winning: "_Winning",
) -> Trial:
    title = candidate.knob.title

    def tick(done: int, loads: Sequence[LoadResult]) -> None:
        word = metric(settings.goal, loads[-1]).word if loads else ""
        told.tick(f"{title}: pair {done} of at most {most}{', ' + word if word else ''}")

    pairs: Pairs | None = None
    try:
        with switched(journal, [(candidate.knob, candidate.value)]) as switch:
            pairs = Pairs(points, switch, settings.block, settings.rest, rng, candidate.knob.settle, winning.check)
            share = 1 if candidate.reference or candidate.knob.kind is Kind.OPTION else family
            tried = try_out(pairs, settings, most=most, family=share, tick=tick)
            idle, beside = None, None
            failed = ""
            if tried.judgement.keep and stays(candidate):
                try:
                    idle, beside = winning.look(switch, title)
                except IpctuneError as error:  # it has won: that its price is not known is no fault of the kernel's
                    failed = f"won, but its price on others could not be measured: {error.what}"
    except NotPossible as refused:
        return _refused(candidate, refused)
    except (KeyboardInterrupt, Stopped) as cause:
        if pairs is None or not pairs.count():
            raise
        raise _InterruptedTrial(_cut_short(candidate, pairs), cause) from None
    judgement = judge(
        settings.goal, tried.loads, idle_vcpus=idle, max_cpu=settings.max_cpu, max_idle_cpu=settings.max_idle_cpu
    )
    if judgement.keep and beside is not None and beside.word == "worse":
        judgement = replace(judgement, keep=False, why=_harms(beside))
    trial = replace(_trial(candidate, tried, judgement, idle, settings.goal), bystander=beside)
    return replace(trial, outcome=Outcome.UNDECIDED, why=failed) if failed else trial


def _harms(beside: Bystander) -> str:
    longer = 100 * beside.effect
    return f"another program's work takes {longer:.0f} % longer beside it (bound: {100 * HARM:.0f} %)"


@dataclass(frozen=True, slots=True)
class _Winning:
    """What is measured once a candidate has won, in blocks of their own, before it is kept."""

    idle: "_IdlePrice"
    beside: Beside
    check: Check
    tick: Callable[[str], None]

    def look(self, switch: Switch, title: str) -> tuple[float | None, Bystander]:
        """Its price on an idle machine in vCPUs, and what another program gets beside it."""
        self.tick(f"{title}: its price on an idle machine")
        idle = self.idle.of(switch)
        self.check(switch.off)
        self.tick(f"{title}: what another program gets beside it")
        return idle, self.beside.of(switch, self.check)


@dataclass
class _IdlePrice:
    """What a setting burns on an idle machine, in vCPUs, `seconds` a look: the growth over the present state.

    The present state is looked at once: it does not change from winner to winner.
    """

    seconds: float
    now: float | None = None

    def of(self, switch: Switch) -> float | None:
        """The growth with the switch on; None where nothing tells and nothing of ours runs."""
        if self.now is None:
            switch.off()
            self.now = self._polled(switch)
        switch.on()
        tried = self._polled(switch)
        return None if tried is None else max(0.0, tried - (self.now or 0.0))

    def _polled(self, switch: Switch) -> float | None:
        before, start = switch.own_cpu_ns(), time.monotonic()
        polled = idle_vcpus(self.seconds)
        took = time.monotonic() - start
        own = (switch.own_cpu_ns() - before) / (took * 1e9) if took else 0.0
        return own if polled is None else polled + own


class _InterruptedTrial(Exception):
    def __init__(self, trial: Trial, cause: BaseException) -> None:
        super().__init__()
        self.trial, self.cause = trial, cause


def _cut_short(candidate: Candidate, pairs: Pairs) -> Trial:
    """What an interrupted trial had measured: figures, but no verdict."""
    return Trial(
        knob=candidate.knob.id,
        title=candidate.knob.title,
        value=dict(candidate.value),
        was=candidate.now,
        outcome=Outcome.UNDECIDED,
        why=f"interrupted after {pairs.count()} pairs",
        loads=tuple(load_result(point, s, None) for point, s in zip(pairs.points, pairs.series, strict=True)),
        spoiled=sum(s.spoiled() for s in pairs.series),
        blocks=sum(2 * s.pairs() for s in pairs.series),
        reference=candidate.reference,
    )


def _refused(candidate: Candidate, refused: NotPossible) -> Trial:
    return Trial(
        knob=candidate.knob.id,
        title=candidate.knob.title,
        value=dict(candidate.value),
        was=candidate.now,
        outcome=Outcome.REFUSED,
        why=refused.what,
        reference=candidate.reference,
    )


def _trial(candidate: Candidate, tried: Tried, judgement: Judgement, idle: float | None, goal: Goal) -> Trial:
    return Trial(
        knob=candidate.knob.id,
        title=candidate.knob.title,
        value=dict(candidate.value),
        was=candidate.now,
        outcome=_outcome(candidate, tried, judgement, goal),
        why=_why(candidate, tried, judgement),
        loads=tried.loads,
        idle_vcpus=idle,
        spoiled=tried.spoiled,
        blocks=tried.blocks,
        reference=candidate.reference,
    )


def _outcome(candidate: Candidate, tried: Tried, judgement: Judgement, goal: Goal) -> Outcome:
    if tried.changed:
        return Outcome.UNDECIDED
    if candidate.knob.kind is Kind.OPTION:
        helps = judgement.helps or any(load.p50.word == "better" for load in tried.loads)
        return Outcome.ADVICE if helps else Outcome.NO_GAIN
    if judgement.keep:
        return Outcome.REJECTED if candidate.reference else Outcome.KEPT
    if judgement.helps and not judgement.settled:
        return Outcome.UNDECIDED
    if judgement.helps or any(load.p50.word == "better" for load in tried.loads):
        return Outcome.REJECTED
    words = [metric(goal, load).word for load in tried.loads]
    return Outcome.UNDECIDED if "undecided" in words else Outcome.NO_GAIN


def _why(candidate: Candidate, tried: Tried, judgement: Judgement) -> str:
    if tried.changed:
        return tried.changed
    if judgement.keep and candidate.reference:
        return f"{judgement.why}, but it polls for ever, on an idle machine too: for the goal latency alone"
    if judgement.keep or judgement.helps:
        return judgement.why
    better = [load for load in tried.loads if load.p50.word == "better"]
    names = " and ".join(name(load) for load in better)
    return f"{judgement.why}; {figure_name(better[0])} better {names}" if better else judgement.why


def _best(winners: list[tuple[Candidate, Trial]], trials: list[Trial], goal: Goal) -> list[Candidate]:
    """One winner a cause: two that keep a vCPU from halting are no better than the better one."""
    best: dict[frozenset[str], tuple[Candidate, Trial]] = {}
    for candidate, trial in winners:
        key = frozenset(candidate.knob.helps)
        rival = best.get(key)
        if rival is None or _total(trial, goal) < _total(rival[1], goal):
            best[key] = (candidate, trial)
    for candidate, trial in winners:
        winner = best[frozenset(candidate.knob.helps)][0]
        if winner is not candidate:
            why = f"{winner.knob.title} does the same better"
            trials[trials.index(trial)] = replace(trial, outcome=Outcome.COVERED, why=why)
    return [candidate for candidate, _ in best.values()]


def _total(trial: Trial, goal: Goal) -> float:
    """The goal's figure over all loads; lower is better."""
    return sum(lower(goal, load) for load in trial.loads)
