"""What will be tried, in which order, and why the rest will not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ipctune.host.model import Host
from ipctune.knobs.files import ALLOWED
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Scope, Value
from ipctune.knobs.registry import KNOBS
from ipctune.tune.evidence import Evidence, worth_trying
from ipctune.tune.model import Advice, Goal, NotTried, Settings
from ipctune.workload.model import Adjustable, Workload

__all__ = ["Candidate", "Plan", "make_plan"]

_HISTORY = "advice alone: it acts over hours, and a trial of seconds would say nothing; set it, and look again in a day"
_FROM_OUTSIDE = {"placement": "the command on one vCPU", "sched-batch": "SCHED_BATCH for the command"}
"""What a program inherits when it is started, so that it can be tried on any command, and what it is called then."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value of one knob. `reference`: the goal could not keep it, so it gets one short look."""

    knob: Knob
    value: Value
    now: dict[str, str]
    reference: bool = False

    def describe_now(self) -> str:
        return self.knob.describe(self.now) if self.now else "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """Candidates in the order of trying, those left out with their reason, advice, and what may be written.

    `notes` are what the user should know before saying yes.
    """

    candidates: tuple[Candidate, ...]
    not_tried: tuple[NotTried, ...]
    advice: tuple[Advice, ...]
    writes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def make_plan(host: Host, settings: Settings, evidence: Evidence, workload: Workload | None = None) -> Plan:
    """Candidates that fit the evidence (or that the user named), those that the goal could keep first.

    What belongs to a program is tried on a workload of the user's whatever the evidence says: nothing else is changed.
    """
    hints = {**evidence.hints, **_target_hints(settings)}
    found: list[Candidate] = []
    left: list[NotTried] = []
    order = worth_trying(evidence.bottleneck, evidence.bottlenecks)
    for knob in KNOBS.values():
        why = _left_out(host, knob, settings, order, workload)
        values = () if why else knob.candidates(host, hints)
        if not values:
            left.append(NotTried(knob.id, why or knob.why_not(host)))
        elif not knob.advice_only:
            found += [_candidate(_titled(knob, workload), value, settings) for value in values]
    found.sort(key=lambda c: (c.reference, c.knob.kind is Kind.OPTION, _rank(c.knob, order)))
    wanted = [knob for knob in KNOBS.values() if knob.id not in settings.without and settings.target is None]
    advice = tuple(
        _advice(host, knob, evidence.hints) for knob in wanted if _advises(host, knob, evidence.hints, order)
    )
    return Plan(tuple(found), tuple(left), advice, writes(found))


def _left_out(host: Host, knob: Knob, settings: Settings, named: Sequence[str], workload: Workload | None) -> str:
    if settings.only and knob.id not in settings.only:
        return "left out by --only"
    if knob.id in settings.without:
        return "left out by --without"
    if (of_target := _of_target(knob, settings, workload)) is not None:
        return of_target
    if host.kernel.version[:2] < knob.since:
        return f"needs kernel {knob.since[0]}.{knob.since[1]}"
    if knob.kind is Kind.OPTION and Cause.REFUSED in knob.helps:
        return ""  # raised where a command was refused, and then nothing else is tried: see tune/command_limits.py
    if workload is not None and knob.kind is Kind.OPTION:
        from_outside = isinstance(workload, Adjustable) and knob.id in _FROM_OUTSIDE
        return "" if from_outside else "the program's own to set: it can't be changed from outside"
    if settings.only or knob.kind is Kind.LIMIT or knob.needs_history or not knob.helps:
        return ""  # judged by a recorded refusal or by facts of the host, not by a share of the time; or no help at all
    if knob.helps.isdisjoint(named):
        return f"no evidence for it here (it helps with {', '.join(sorted(knob.helps))})"
    return ""


def _target_hints(settings: Settings) -> Hints:
    """What knobs of a target have to know."""
    if settings.target is None:
        return {}
    hits = {f"refused:{hit.limit}": str(hit.asked) for hit in settings.refused}
    return {"target": f"{settings.target.pid}:{settings.target.start}", **hits}


def _of_target(knob: Knob, settings: Settings, workload: Workload | None) -> str | None:
    """Why it is left out with the target that the settings name, or without one; "": it is not; None: others tell."""
    target = settings.target
    if target is None:
        return "needs --target PID" if knob.of_target else None
    if knob.kind is Kind.LIVE:
        return "" if workload is not None else "needs --command or --workload, one that has the process work"
    space = {Scope.IPC_NAMESPACE: "ipc", Scope.NET_NAMESPACE: "net"}.get(knob.scope)
    shared = space is not None and space not in target.own_spaces
    if knob.of_target or (knob.kind is Kind.LIMIT and shared):
        return ""
    return None if knob.id in settings.only else "not the target's: --only names what is tried beside it"


def _titled(knob: Knob, workload: Workload | None) -> Knob:
    """The knob as it is called where a command of the user's is measured."""
    return knob if workload is None else replace(knob, title=_FROM_OUTSIDE.get(knob.id, knob.title))


def _rank(knob: Knob, order: Sequence[str]) -> int:
    return min((order.index(cause) for cause in knob.helps if cause in order), default=len(order))


def _candidate(knob: Knob, value: Value, settings: Settings) -> Candidate:
    parts = knob.parts()
    now = {name: parts[name].read() or "?" for name in value if name in parts}
    return Candidate(knob, value, now, knob.always_polls and settings.goal is not Goal.LATENCY)


def _advises(host: Host, knob: Knob, hints: Hints, named: Sequence[str]) -> bool:
    fits = knob.needs_history or (knob.kind is Kind.ADVICE and not knob.helps.isdisjoint(named))
    return fits and bool(knob.candidates(host, hints))


def _advice(host: Host, knob: Knob, hints: Hints) -> Advice:
    value = knob.candidates(host, hints)[0]
    text = ", ".join(f"{name}: {text}" for name, text in value.items())
    return Advice(f"{knob.title}: {text}", _HISTORY if knob.needs_history else knob.not_tried)


def writes(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Every path that these candidates may write, as the allow-list has them."""
    found: dict[str, None] = {}
    for candidate in candidates:
        parts = candidate.knob.parts()
        for name in candidate.value:
            if name in parts:
                found[parts[name].where] = None
        if candidate.knob.kind is Kind.LEASE and Cause.HALTED_WAKE in candidate.knob.helps:
            found |= dict.fromkeys(
                p for p in ALLOWED if p == "/dev/cpu_dma_latency" and "latency_us" in candidate.value
            )
    return tuple(found)
