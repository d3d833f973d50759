"""Limits: judged by the refusal that they remove. Raised only where the workload was refused here."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from ipctune.bench.core import Refused, run
from ipctune.bench.spec import Spec
from ipctune.host.model import Host
from ipctune.journal.change import Change
from ipctune.journal.session import Session
from ipctune.knobs.model import Kind, Knob, Scope, Value
from ipctune.knobs.registry import KNOBS
from ipctune.knobs.semaphores import FIELDS
from ipctune.tune.model import Outcome, Refusal, Trial

__all__ = ["Raise", "find_limits", "probe", "remove_refusals"]

Raise = tuple[Knob, Value]
"""A limit and what it is to be raised to."""

_MOST = 4  # limits that one workload may need raised
_SECONDS = 0.1
_PAIR = 2  # queues or segments, one for each direction
_SEMAPHORES = 4  # in the one array of a pair
_OBJECTS = {
    **dict.fromkeys(("kernel.msgmni", "fs.mqueue.queues_max", "kernel.shmmni", "kernel.sem.semmni"), _PAIR),
    "kernel.sem.semmns": _SEMAPHORES,
}
"""How many a pair makes; those that are there already count as well."""
_OF_SEM = tuple(f"kernel.sem.{name}" for name in FIELDS)
_TOGETHER = {"unix": ("net.core.wmem_max", "net.core.rmem_max"), "tcp": ("net.core.wmem_max", "net.core.rmem_max")}
"""Limits of the host that a mechanism meets one after another: no namespace can show the second."""


def probe(spec: Spec, seed: int) -> Refusal | None:
    """Whether this machine refuses the workload as it is."""
    try:
        run(spec, _SECONDS, seed)
    except Refused as refused:
        return Refusal(refused.call, refused.errno_name, refused.limit, refused.what)
    return None


def find_limits(host: Host, spec: Spec, refusal: Refusal, seed: int) -> list[Raise]:
    """Every limit that has to be raised before the workload runs; empty where that can't be had.

    Limits of the IPC namespace are tried in a private one, with all present values of the host copied into it, so
    that nothing of the host is written to find out.
    """
    together = _TOGETHER.get(spec.mechanism.split("-")[0], ())
    if refusal.limit in together:
        return [found for name in together if (found := _candidate(host, spec, name)) is not None]
    raised: list[Raise] = []
    still: Refusal | None = refusal
    while still is not None and len(raised) < _MOST:
        found = _candidate(host, spec, still.limit or "")
        if found is None or any(knob.id == found[0].id for knob, _ in raised):
            return []
        raised.append(found)
        if found[0].scope is not Scope.IPC_NAMESPACE:
            return raised
        still = probe(_in_private(spec, raised), seed)
    return raised if still is None else []


def _candidate(host: Host, spec: Spec, limit: str) -> Raise | None:
    """The limit as it has to be for the workload; of the four in kernel.sem all, as each is met after the other."""
    names = _OF_SEM if limit in _OF_SEM else (limit,)
    knob = KNOBS.get("kernel.sem" if limit in _OF_SEM else limit)
    if knob is None or knob.kind is not Kind.LIMIT:
        return None
    values = knob.candidates(host, {f"refused:{name}": str(_asked(host, spec, name)) for name in names})
    return (knob, values[0]) if values else None


def _asked(host: Host, spec: Spec, limit: str) -> int:
    """What the workload asks of that limit, in the limit's own unit; of objects: with those that are there."""
    if limit in _OBJECTS:
        there = host.limits.get(limit)
        return _OBJECTS[limit] + (there.use or 0 if there else 0)
    if limit in _OF_SEM:
        return _SEMAPHORES
    if limit in ("kernel.msgmax", "fs.mqueue.msgsize_max"):
        return spec.size
    if limit == "fs.mqueue.msg_max":
        return max(1, spec.capacity // spec.size)
    return max(spec.size, spec.capacity)


def _in_private(spec: Spec, raised: Sequence[Raise]) -> Spec:
    sysctls = tuple((name, text) for _, value in raised for name, text in value.items())
    return spec.replace(ipc_namespace="private", sysctls=sysctls)


def remove_refusals(
    limits: Sequence[Raise], spec: Spec, refusal: Refusal, session: Session, seed: int, tick: Callable[[str], None]
) -> list[Trial]:
    """Raise these limits together and see whether the workload runs; keep all of them then, and none otherwise."""
    with ExitStack() as stack:
        changes: list[Change] = []
        was: list[dict[str, str]] = []
        for knob, value in limits:
            tick(knob.title)
            was.append({name: part.read() or "?" for name, part in knob.parts().items()})
            change = stack.enter_context(Change(session.journal, knob, [value]))
            change.set(0)
            time.sleep(knob.settle)
            changes.append(change)
        still = probe(spec, seed)
        if still is None:
            for change, (knob, value) in zip(changes, limits, strict=True):
                change.keep(0)
                session.keep(knob, value)
    trials = [_trial(found, before, refusal) for found, before in zip(limits, was, strict=True)]
    return trials if still is None else [_not_enough(trial, still) for trial in trials]


def _trial(found: Raise, was: dict[str, str], refusal: Refusal) -> Trial:
    knob, value = found
    why = f"without it the workload is refused: {refusal.call} {refusal.errno}"
    return Trial(knob=knob.id, title=knob.title, value=dict(value), was=was, outcome=Outcome.KEPT, why=why)


def _not_enough(trial: Trial, still: Refusal) -> Trial:
    return replace(trial, outcome=Outcome.NO_GAIN, why=f"taken back: the workload is still refused: {still.message}")
