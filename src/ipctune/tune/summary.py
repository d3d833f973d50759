"""What a run finds, as it comes, and what it adds up to: the result, with who holds vCPUs awake and what is left."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import ipctune
from ipctune.bench.wake import knee
from ipctune.host.model import Host
from ipctune.host.model_watch import Watch
from ipctune.knobs.model import Kind
from ipctune.knobs.registry import KNOBS
from ipctune.tune.evidence import UNKNOWN, Evidence, worth_trying
from ipctune.tune.guard import Guard
from ipctune.tune.model import Advice, Bottleneck, NotTried, Outcome, Proof, Refusal, Settings, Trial, TuneResult
from ipctune.tune.pareto import fronts

__all__ = ["Findings", "holders", "result_of", "shown_within"]


@dataclass
class Findings:
    """What has been found so far: kept also when the run is interrupted."""

    settings: Settings
    run: str
    guard: Guard
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
    watch: Watch | None = None
    stopped: str = ""
    watchdog_oom: int | None = None
    held: bool = False

    def cut(self, why: str) -> None:
        """The run ended early. What the deadline holds already stays so; anything else has been taken back."""
        if self.held:
            return
        self.kept, self.until = {}, None
        self.unproved(f"won its trial; {why}")

    def unproved(self, why: str) -> None:
        """What won its trial and is not kept all the same has no verdict."""
        self.trials = [
            replace(trial, outcome=Outcome.UNDECIDED, why=why) if trial.outcome is Outcome.KEPT else trial
            for trial in self.trials
        ]


def holders(host: Host, evidence: Evidence | None) -> list[Advice]:
    """Who asks for 0 µs already: no vCPU halts then, and nothing is left to gain there."""
    if host.idle.latency_request_us is None and evidence and evidence.curve and knee(evidence.curve).kind == "awake":
        return [Advice("no idle gap makes a message slower: something keeps the vCPUs awake; root can see what")]
    if host.idle.latency_request_us != 0:
        return []
    who = ", ".join(f"{h.command} (pid {h.pid})" for h in host.idle.holders) or "a process that can't be seen from here"
    return [Advice(f"{who} holds /dev/cpu_dma_latency at 0 µs: no vCPU halts, all idle ones poll, which costs CPU")]


def result_of(host: Host, findings: Findings, started: float) -> TuneResult:
    """Everything that was found, frozen. `started` is in s since the epoch."""
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
        bottleneck=evidence.bottleneck if evidence else "refused" if findings.refusals else UNKNOWN,
        refusals=tuple(findings.refusals),
        trials=tuple(findings.trials),
        not_tried=tuple(findings.not_tried),
        proof=findings.proof,
        kept=findings.kept,
        until=findings.until,
        advice=tuple(findings.advice),
        recovered=findings.recovered,
        interrupted=findings.interrupted,
        shown_within=shown_within(causes, findings.trials),
        unseen=evidence.unseen if evidence else (),
        needs_root=_needs_root(host, evidence),
        watch=findings.watch,
        stopped=findings.stopped,
        took=replace(findings.guard.took(), watchdog_oom=findings.watchdog_oom),
        fronts=fronts(findings.trials),
    )


def _needs_root(host: Host, evidence: Evidence | None) -> tuple[str, ...]:
    """Knobs of the machine that can help against what was named, and that we may not set."""
    if host.privileges.root or evidence is None:
        return ()
    named = {*worth_trying(evidence.bottleneck, evidence.bottlenecks)}
    root = replace(host, privileges=replace(host.privileges, euid=0))
    found = [k for k in KNOBS.values() if k.helps & named and k.kind in (Kind.FILES, Kind.LEASE)]
    return tuple(
        k.id for k in found if k.candidates(root, evidence.hints) or (k.lease is not None and host.idle.driver)
    )


def shown_within(causes: Sequence[Bottleneck], trials: Sequence[Trial]) -> float | None:
    """What is surely left to gain at most: the widest bound of any cause that was looked at, 0 to 1.

    A cause without a bound leaves everything open.
    """
    seen = [e.could_have_seen for t in trials for load in t.loads if (e := load.p50).could_have_seen is not None]
    bounds = [1.0 if b.high is None else b.high for b in causes]
    return max(0.0, min(1.0, max([*bounds, *seen]))) if bounds or seen else None
