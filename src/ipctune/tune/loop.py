"""The whole loop: evidence, plan, trials, proof, and what stays.

It knows nothing of screens: `Listener` is told what happens, and asked once before the first write.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import ipctune
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible
from ipctune.host.model import Host
from ipctune.journal.restore import Restored
from ipctune.journal.session import Session, guarded
from ipctune.journal.store import Journal
from ipctune.knobs.model import Kind
from ipctune.tune.budget import Clock, shortage
from ipctune.tune.evidence import Evidence, gather
from ipctune.tune.exposure import watch
from ipctune.tune.model import (
    Advice,
    Bottleneck,
    NotTried,
    Outcome,
    Proof,
    Refusal,
    Settings,
    Trial,
    TuneResult,
)
from ipctune.tune.plan import Candidate, Plan, make_plan, writes
from ipctune.tune.proof import prove
from ipctune.tune.refusals import find_limits, probe, remove_refusals
from ipctune.tune.source import opened
from ipctune.tune.trials import run_trials
from ipctune.workload.model import Workload

__all__ = ["Declined", "Listener", "placed", "tune"]


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

    def found(self, evidence: Evidence) -> None:
        """The bottleneck is named."""

    def consent(self, plan: Plan, seconds: float) -> bool:
        """The plan, before the first write. False: stop here."""

    def tried(self, trial: Trial) -> None:
        """A candidate has its verdict."""


@dataclass
class _Findings:
    """What has been found so far: kept also when the run is interrupted."""

    settings: Settings
    run: str
    evidence: Evidence | None = None
    refusals: list[Refusal] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    not_tried: list[NotTried] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    proof: Proof | None = None
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    until: float | None = None
    recovered: tuple[str, ...] = ()
    interrupted: bool = False


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
    findings = _Findings(settings, time.strftime("tune-%Y%m%dT%H%M%SZ", time.gmtime(started)))
    findings.recovered = tuple(f"{part.where}: {part.result}" for part in recovered if part.where)
    try:
        with opened(settings) as workload:
            _run(host, settings, journal, listener, findings, workload)
    except _No:
        raise Declined(_result(host, findings, started)) from None
    except KeyboardInterrupt:
        findings.interrupted = True
        findings.kept, findings.until = {}, None
    return _result(host, findings, started)


def _run(
    host: Host,
    settings: Settings,
    journal: Journal,
    listener: Listener,
    findings: _Findings,
    workload: Workload | None,
) -> None:
    clock = Clock(settings.seconds)
    refusal = probe(settings.spec, settings.seed) if workload is None else None
    if refusal is None:
        listener.stage("why", clock.share(0.25))
        settings, findings.evidence = _look(host, settings, workload, clock.share(0.25), listener)
        findings.settings = settings
        listener.found(findings.evidence)
        plan = make_plan(host, settings, findings.evidence, workload)
        if workload is not None:
            plan = replace(plan, notes=tuple(filter(None, [shortage(plan.candidates, settings, len(workload.loads))])))
        findings.advice += findings.evidence.advice
    else:
        findings.refusals.append(refusal)
        plan = _limits_plan(host, settings, refusal)
    findings.not_tried += plan.not_tried
    findings.advice += [*_holders(host), *plan.advice]
    if not plan.candidates:
        return
    if not listener.consent(plan, clock.left()):
        raise _No
    clock.resume()
    if not _writes(plan):
        _speed(settings, plan, None, listener, findings, clock, workload)
        return
    with guarded(journal) as session:
        if refusal is not None:
            _limits(plan, settings, refusal, session, listener, findings)
        else:
            _speed(settings, plan, session, listener, findings, clock, workload)


def _look(
    host: Host, settings: Settings, workload: Workload | None, seconds: float, listener: Listener
) -> tuple[Settings, Evidence]:
    """The evidence; and the settings, which learn from it how long a run of the workload takes."""
    if workload is None:
        return settings, gather(host, settings, seconds, listener.tick)
    return watch(host, settings, workload, seconds, listener.tick)


def _holders(host: Host) -> list[Advice]:
    """Who asks for 0 µs already: no vCPU halts then, and nothing is left to gain there."""
    if host.idle.latency_request_us != 0:
        return []
    who = ", ".join(f"{h.command} (pid {h.pid})" for h in host.idle.holders) or "a process that can't be seen from here"
    return [Advice(f"{who} holds /dev/cpu_dma_latency at 0 µs: no vCPU halts, all idle ones poll, which costs CPU")]


def _writes(plan: Plan) -> bool:
    return any(c.knob.kind is not Kind.OPTION for c in plan.candidates)


def _limits_plan(host: Host, settings: Settings, refusal: Refusal) -> Plan:
    limits = find_limits(host, settings.spec, refusal, settings.seed)
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
    plan: Plan, settings: Settings, refusal: Refusal, session: Session, listener: Listener, findings: _Findings
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
    findings: _Findings,
    clock: Clock,
    workload: Workload | None,
) -> None:
    journal = session.journal if session else None
    rng = random.Random(settings.seed + 1)
    listener.stage("trials", clock.share(0.5))
    winners = run_trials(plan, settings, journal, listener, findings.trials, findings.not_tried, clock, rng, workload)
    if not winners or session is None:
        return
    listener.stage("proof", clock.share(0.25))
    findings.proof = prove(winners, settings, session, clock, rng, listener.tick, workload)
    if findings.proof.held:
        _hold(session, settings, findings)
    else:
        why = f"won its trial, but the proof did not hold: {findings.proof.why}"
        won = [i for i, t in enumerate(findings.trials) if t.outcome is Outcome.KEPT]
        for i in won:
            findings.trials[i] = replace(findings.trials[i], outcome=Outcome.UNDECIDED, why=why)


def _hold(session: Session, settings: Settings, findings: _Findings) -> None:
    session.hold_until(settings.hold, findings.run)
    findings.kept, findings.until = dict(session.kept), session.until


def _result(host: Host, findings: _Findings, started: float) -> TuneResult:
    evidence = findings.evidence
    causes: Sequence[Bottleneck] = evidence.bottlenecks if evidence else ()
    return TuneResult(
        version=ipctune.__version__,
        run=findings.run,
        started=started,
        finished=time.time(),
        host=host.hostname or "",
        kernel=host.kernel.release,
        cpus=len(host.cpus.online),
        memory_bytes=host.memory.total,
        settings=findings.settings,
        baseline_p50_ns=evidence.p50_ns if evidence else None,
        awake_p50_ns=evidence.curve.awake_ns if evidence and evidence.curve else None,
        bottlenecks=tuple(causes),
        bottleneck=evidence.bottleneck if evidence else "refused" if findings.refusals else "unknown",
        refusals=tuple(findings.refusals),
        trials=tuple(findings.trials),
        not_tried=tuple(findings.not_tried),
        proof=findings.proof,
        kept=findings.kept,
        until=findings.until,
        advice=tuple(findings.advice),
        recovered=findings.recovered,
        interrupted=findings.interrupted,
        shown_within=_shown_within(causes, findings.trials),
    )


def _shown_within(causes: Sequence[Bottleneck], trials: Sequence[Trial]) -> float | None:
    """What is surely left to gain at most: the widest bound of any cause that was looked at, 0 to 1."""
    seen = [e.could_have_seen for t in trials for load in t.loads if (e := load.p50).could_have_seen is not None]
    bounds = [b.high for b in causes if b.high is not None]
    return min(1.0, max([*bounds, *seen], default=0.0)) if bounds or seen else None
