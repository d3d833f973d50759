"""The whole loop: is it IPC at all, evidence, plan, trials, proof, and what stays.

It knows nothing of screens: `Listener` is told what happens, and asked once before the first write.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.host.model import Host
from ipctune.host.model_watch import Watch
from ipctune.journal.launch import oom_score_adj
from ipctune.journal.restore import Restored
from ipctune.journal.session import Session, guarded
from ipctune.journal.store import Journal
from ipctune.knobs.model import Kind
from ipctune.tune.budget import Clock, shortage
from ipctune.tune.command_limits import Helped, runs_with
from ipctune.tune.evidence import Evidence, gather
from ipctune.tune.exposure import watch
from ipctune.tune.guard import Guard, Stopped
from ipctune.tune.model import Advice, Outcome, Refusal, Settings, Trial, TuneResult
from ipctune.tune.plan import Candidate, Plan, make_plan, writes
from ipctune.tune.point import points_of
from ipctune.tune.proof import prove, told_apart
from ipctune.tune.refusals import find_limits, probe, remove_refusals
from ipctune.tune.source import opened
from ipctune.tune.summary import Findings, holders, result_of
from ipctune.tune.target import UNMEASURED, lasting, near, not_raised, nothing_to_change, raise_limits
from ipctune.tune.trials import run_trials
from ipctune.tune.watching import CutShort, watch_host
from ipctune.workload.model import Workload

__all__ = ["Declined", "Listener", "placed", "tune"]

_WATCHED = 1 / 18
"""Part of the run that the watch takes at most: 10 s of three minutes."""


class Declined(Exception):
    """The user looked at the plan and said no, or asked for the plan alone. `result` is what was found up to there."""

    def __init__(self, result: TuneResult) -> None:
        super().__init__()
        self.result = result


class _No(Exception):
    """The listener's answer, on its way out of the loop."""


class Listener(Protocol):
    """What a screen, or a test, gets to know."""

    def stage(self, name: str, seconds: float) -> None:
        """A stage begins; it is expected to take that long."""

    def tick(self, text: str) -> None:
        """Something was measured."""

    def watched(self, watch: Watch, *, goes_on: bool) -> None:
        """What the machine's own programs wait for; `goes_on` is false where a larger cause than IPC ends the run."""

    def found(self, evidence: Evidence) -> None:
        """The bottleneck is named."""

    def consent(self, plan: Plan, seconds: float) -> bool:
        """The plan, before the first write. False: stop here."""

    def tried(self, trial: Trial) -> None:
        """A candidate has its verdict."""


def placed(host: Host, spec: Spec) -> Spec:
    """Trials pin the pair to two vCPUs; where there is one, nothing needs pinning."""
    if len(host.cpus.allowed) < 2 or spec.placement != "free":
        return spec
    return spec.replace(cpus=(host.cpus.allowed[0], host.cpus.allowed[1]))


def tune(
    host: Host, settings: Settings, journal: Journal, listener: Listener, recovered: Sequence[Restored] = ()
) -> TuneResult:
    """Run the loop, inside `journal.session.exclusive`. Ctrl-C ends it: all is restored, what was measured is kept.

    `recovered` is what `exclusive` put back. Raises NotPossible (no core, no watchdog) and Declined.
    """
    started = time.time()
    settings = replace(settings, spec=placed(host, settings.spec))
    if not settings.is_pair:
        settings = replace(settings, watch_stops=False)  # what the user names is measured: the watch informs
    findings = Findings(
        settings,
        time.strftime("tune-%Y%m%dT%H%M%SZ", time.gmtime(started)),
        Guard(host, listener.tick, on=settings.guard),
    )
    findings.recovered = tuple(f"{part.where}: {part.result}" for part in recovered if part.where)
    if settings.target is not None:
        settings, findings.advice = near(settings)
        findings.settings = settings
    try:
        with opened(settings) as workload:
            _run(host, settings, journal, listener, findings, workload)
    except _No:
        raise Declined(result_of(host, findings, started)) from None
    except Stopped:
        findings.cut("the run was stopped before the proof")
    except KeyboardInterrupt:
        findings.interrupted = True
        findings.cut("the run was interrupted before the proof")
    return result_of(host, findings, started)


def _run(
    host: Host,
    settings: Settings,
    journal: Journal,
    listener: Listener,
    findings: Findings,
    workload: Workload | None,
) -> None:
    clock = Clock(settings.seconds)
    _watch(host, settings, listener, findings)
    refusal = probe(settings.spec, settings.seed) if settings.is_pair else None
    if refusal is None and findings.stopped:
        return
    if why := findings.guard.ready():
        raise NotPossible(
            f"not now: {why}",
            hint="at a quieter hour, or with --no-guard where nobody minds; nothing was changed",
        )
    findings.stopped = ""  # a workload that is refused is helped, whatever else is slow
    if workload is None and not settings.is_pair:
        plan = make_plan(host, settings, UNMEASURED)
    elif refusal is None:
        left = clock.left() - clock.share(0.75)
        listener.stage("why", left)
        # What others do while a workload of the user's runs belongs to it: a service that its client drives, say.
        tick = _looking(listener, findings.guard.check if workload is None else findings.guard.know)
        try:
            settings, findings.evidence = _look(host, settings, workload, left, tick)
        except WorkloadFailed as failed:
            _helped(runs_with(host, settings, workload, failed, listener.tick), failed, listener, findings)
            return
        findings.settings = settings
        listener.found(findings.evidence)
        plan = make_plan(host, settings, findings.evidence, workload)
        loads = len(points_of(settings, workload))
        if note := shortage(plan.candidates, settings, loads, clock.trials()):
            plan = replace(plan, notes=(*plan.notes, note))
        findings.advice += findings.evidence.advice
    else:
        findings.refusals.append(refusal)
        plan = _limits_plan(host, settings, refusal)
    findings.not_tried += plan.not_tried
    findings.advice += [*holders(host, findings.evidence), *plan.advice, *not_raised(host, settings, plan)]
    if not plan.candidates:
        findings.advice += nothing_to_change(settings, plan)
        return
    clock.pause()
    if not listener.consent(plan, clock.left() if settings.is_pair or workload is not None else 1.0):
        raise _No
    clock.resume()
    if not _writes(plan):
        _speed(settings, plan, None, listener, findings, clock, workload)
        return
    with guarded(journal) as session:
        findings.watchdog_oom = oom_score_adj(journal.state)
        if refusal is not None:
            _limits(plan, settings, refusal, session, listener, findings)
        else:
            plan, raised = raise_limits(plan, session, settings, listener)
            if plan.candidates:
                _speed(settings, plan, session, listener, findings, clock, workload)
            findings.trials = [*raised, *findings.trials]
            if session.kept and session.deadline is None:
                _hold(session, settings, findings)
            findings.advice += lasting(session.kept)
    findings.held = session.deadline is not None


def _look(
    host: Host, settings: Settings, workload: Workload | None, seconds: float, tick: Callable[[str], None]
) -> tuple[Settings, Evidence]:
    """The evidence; and the settings, which learn from it how long a run of the workload takes."""
    if workload is None:
        return settings, gather(host, settings, seconds, tick)
    return watch(host, settings, workload, seconds, tick)


def _looking(listener: Listener, look: Callable[[], object]) -> Callable[[str], None]:
    """A tick between two blocks, when nothing is set: the guard looks as well."""

    def tick(text: str) -> None:
        listener.tick(text)
        look()

    return tick


def _helped(helped: Helped | None, failed: WorkloadFailed, listener: Listener, findings: Findings) -> None:
    """A command that was refused by a limit of its own process: what shows it, and nothing else, ends the run.

    Raises `failed` where it is no such command, or the limit was not it.
    """
    if helped is None or helped.trial.outcome is not Outcome.ADVICE:
        raise failed
    findings.refusals.append(helped.refusal)
    findings.trials.append(helped.trial)
    findings.advice += [*helped.advice, Advice("start it so, and `ipctune tune` again looks at its speed")]
    listener.tried(helped.trial)


def _watch(host: Host, settings: Settings, listener: Listener, findings: Findings) -> None:
    """Look at the machine's own programs before anything is tried, and note whether that ends the run."""
    seconds = min(settings.watch, settings.seconds * _WATCHED)
    if seconds <= 0:
        return
    listener.stage("watch", seconds)
    try:
        findings.watch = watch_host(host, seconds, settings.seed, _looking(listener, findings.guard.watch))
    except CutShort as cut:
        findings.watch = cut.watch
        raise
    if findings.watch is None:
        return
    larger = findings.watch.stops and settings.watch_stops
    findings.stopped = str(findings.watch.cause) if larger else ""
    listener.watched(findings.watch, goes_on=not larger)


def _writes(plan: Plan) -> bool:
    return any(c.knob.kind is not Kind.OPTION for c in plan.candidates)


def _limits_plan(host: Host, settings: Settings, refusal: Refusal) -> Plan:
    limits = find_limits(host, settings.spec, refusal, settings.seed)
    barred = [
        knob.id for knob, _ in limits if knob.id in settings.without or (settings.only and knob.id not in settings.only)
    ]
    if barred:
        raise NotPossible(
            f"this machine refuses the workload: {refusal.message}",
            hint=f"{', '.join(barred)} would have to be raised, and --only or --without leaves it out",
        )
    if not limits:
        raise NotPossible(
            f"this machine refuses the workload: {refusal.message}", hint="choose another size or mechanism"
        )
    candidates = tuple(
        Candidate(knob, value, {name: part.read() or "?" for name, part in knob.parts().items()})
        for knob, value in limits
    )
    return Plan(candidates, (), (), writes(candidates))


def _limits(
    plan: Plan, settings: Settings, refusal: Refusal, session: Session, listener: Listener, findings: Findings
) -> None:
    listener.stage("limits", 2.0)
    limits = [(c.knob, c.value) for c in plan.candidates]
    findings.trials = remove_refusals(limits, settings.spec, refusal, session, settings.seed, listener.tick)
    for trial in findings.trials:
        listener.tried(trial)
    if session.kept:
        findings.advice.append(Advice("the workload runs now; `ipctune tune` again looks at its speed"))
        _hold(session, settings, findings)


def _speed(
    settings: Settings,
    plan: Plan,
    session: Session | None,
    listener: Listener,
    findings: Findings,
    clock: Clock,
    workload: Workload | None,
) -> None:
    journal = session.journal if session else None
    rng = random.Random(settings.seed + 1)
    listener.stage("trials", clock.share(0.5))
    check = findings.guard.check
    winners = run_trials(
        plan, settings, journal, listener, findings.trials, findings.not_tried, clock, rng, workload, check
    )
    if not winners or session is None:
        return
    listener.stage("proof", clock.share(0.25))
    findings.proof = prove(winners, settings, session, clock, rng, listener.tick, workload, check)
    findings.trials = told_apart(findings.trials, findings.proof)
    if findings.proof.held:
        _hold(session, settings, findings)
    else:
        findings.unproved(f"won its trial, but the proof did not hold: {findings.proof.why}")


def _hold(session: Session, settings: Settings, findings: Findings) -> None:
    session.hold_until(settings.hold, findings.run)
    findings.kept, findings.until = dict(session.kept), session.until
