"""A process that the user names: who it is, which limits of its namespaces are near, and what of it is tried."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ipctune.errors import NotPossible, WrongUse
from ipctune.host.model import Host
from ipctune.host.root import Root
from ipctune.host.text import pairs
from ipctune.journal.change import Change
from ipctune.journal.session import Session
from ipctune.knobs.model import Kind, Value
from ipctune.knobs.others import name_of, own_space, started
from ipctune.knobs.registry import KNOBS
from ipctune.knobs.spaces import SysctlPart, space_mark
from ipctune.knobs.target import SPACES
from ipctune.services.findings import find
from ipctune.services.look import look
from ipctune.services.model import Use
from ipctune.services.naming import container_names, service_of
from ipctune.services.processes import Processes, read_processes
from ipctune.tune.evidence import NONE, Evidence
from ipctune.tune.model import Advice, Outcome, Settings, Trial
from ipctune.tune.model_target import Hit, Target
from ipctune.tune.plan import Candidate, Plan
from ipctune.tune.reach import reach
from ipctune.tune.trials import Told

__all__ = [
    "UNMEASURED",
    "find_target",
    "hits_of",
    "lasting",
    "limits_of",
    "near",
    "not_raised",
    "nothing_to_change",
    "raise_limits",
]

UNMEASURED = Evidence((), NONE, None, {}, None)
"""What is known where nothing is measured."""
_NEAR = 0.8
_COUNTED = {f"kernel.{name}" for name in ("msgmni", "shmmni", "shmall", "sem.semmni", "sem.semmns")} | {
    "fs.mqueue.queues_max"
}
"""Limits on how many there are in all: of those on one object, the largest so far says nothing about the next."""
_QUEUES = {"listen queue": "net.core.somaxconn", "datagram queue": "net.unix.max_dgram_qlen"}
_SEM = "kernel.sem"
_KNOBS = {f"target-{kind}-limits": names for kind, names in SPACES.items()}


def find_target(pid: int) -> Target:
    """The process of that number. Raises WrongUse for ourselves, NotPossible where it is none that can be looked at."""
    if pid == os.getpid():
        raise WrongUse(f"process {pid} is ipctune itself", hint="--target takes the main process of a service")
    start, program = started(pid), name_of(pid)
    if start is None:
        raise NotPossible(f"there is no process {pid}", hint="`systemctl show -p MainPID`, `docker inspect`, pgrep")
    status = pairs(Root().text(f"/proc/{pid}/status"))
    if status.get("Tgid") != str(pid):
        raise NotPossible(f"{pid} is a thread", hint=f"its process is {status.get('Tgid')}")
    if "VmSize" not in status:
        raise NotPossible(f"process {pid} ({program}) is a thread of the kernel: it has nothing that could be changed")
    try:
        os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - only whether it may be
        own = tuple(kind for kind in SPACES if Path(f"/proc/{pid}/ns/{kind}").stat().st_ino != own_space(kind))
    except PermissionError as error:
        what = f"process {pid} ({program}) is another user's, or has rights that we lack"
        raise NotPossible(what, hint="root may change it, with the same capabilities at least") from error
    except OSError as error:
        raise NotPossible(f"process {pid} ({program}) has just ended") from error
    service = service_of(Root().text(f"/proc/{pid}/cgroup"), program, container_names(Root()))
    return Target(pid, start, program, "" if service.kind == "program" else service.name, own)


def limits_of() -> tuple[str, ...]:
    """Every limit that a refusal can name, of kernel.sem each of the four."""
    found = [name for names in SPACES.values() for name in names if name != _SEM]
    return (*found, *(f"{_SEM}.{name}" for name in ("semmsl", "semmns", "semopm", "semmni")))


def near(settings: Settings) -> tuple[Settings, list[Advice]]:
    """The settings with what is nearly full in the target's namespaces, and what its other limits call for."""
    target = settings.target
    if target is None:
        return settings, []
    report, processes = look(quick=True), read_processes(Root())
    places = _places(processes, target)
    uses = [use for use in report.uses if use.full >= _NEAR and _is_its(use, target, places)]
    named = {hit.limit for hit in settings.refused}
    hits = [hit for use in uses if (hit := _hit(use)) is not None and hit.limit not in named]
    unique = {hit.limit: hit for hit in hits}
    settings = replace(settings, refused=(*settings.refused, *unique.values()))
    if settings.command is None and not settings.workload:  # nothing is measured
        settings = replace(settings, watch=0.0, guard=False)
    return settings, _advice(uses)


def _places(processes: Processes, target: Target) -> dict[str, str]:
    """What the look calls the target's namespaces; none for those that are the machine's own."""
    found: dict[str, str] = {}
    process = next((one for one in processes.all if one.pid == target.pid), None)
    for kind in SPACES if process is not None else ():
        assert process is not None
        member = processes.by_space(kind).get(process.spaces.get(kind, 0))
        if member is not None:
            found[kind] = processes.place(kind, member)
    return found


def _is_its(use: Use, target: Target, places: dict[str, str]) -> bool:
    if use.holder is not None:
        return use.holder.pid == target.pid
    kind = next((kind for kind, names in SPACES.items() if use.limit.removesuffix(_field(use.limit)) in names), "")
    return kind in places and use.place == places[kind]


def _field(limit: str) -> str:
    """Which of the four of kernel.sem, with its dot; nothing for other limits."""
    return limit.removeprefix(_SEM) if limit.startswith(f"{_SEM}.") else ""


def _hit(use: Use) -> Hit | None:
    """A limit that is nearly reached, and one more than it lets pass: the least that helps."""
    limit = _QUEUES.get(use.limit, use.limit)
    if use.value is None or (limit == use.limit and limit not in _COUNTED):
        return None
    most = max(use.use or 0, use.peak or 0)
    what = f" ({use.what})" if use.what else ""
    return Hit(limit, use.value + 1, f"{most:,} of {use.value:,} {use.unit or use.limit} in use{what}")


def _advice(uses: list[Use]) -> list[Advice]:
    """What else of it is nearly full, with the line to change: /dev/shm, RLIMIT_…, queues of its own."""
    others = [use for use in uses if use.limit in _QUEUES or _hit(use) is None]
    return [Advice(f"{one.topic}: {one.what}: {one.todo}", one.why) for one in find(others, (), (), {})]


def hits_of(words: tuple[str, ...]) -> tuple[Hit, ...]:
    """What `--refused NAME=NUMBER` says. Raises WrongUse where one is no limit of a namespace, or no number."""
    found = []
    for word in words:
        limit, _, asked = word.partition("=")
        if limit not in limits_of():
            raise WrongUse(f"{limit} is no limit of a namespace", hint=f"one of {', '.join(limits_of())}")
        if not (asked.isascii() and asked.isdigit() and 0 < int(asked) < 1 << 64):
            raise WrongUse(f"--refused {word}: not a number", hint=f"--refused {limit}=4000, what was asked for")
        found.append(Hit(limit, int(asked), f"{int(asked):,} were refused"))
    return tuple(found)


# Raising --------------------------------------------------------------------------------------------------------


def raise_limits(plan: Plan, session: Session, settings: Settings, told: Told) -> tuple[Plan, list[Trial]]:
    """Raise limits of a target, one after another, never timed, and keep them.

    Returns what is left of the plan, and what became of each. Without a target none is raised here.
    """
    if settings.target is None:
        return plan, []
    limits = [c for c in plan.candidates if c.knob.kind is Kind.LIMIT]
    rest = tuple(c for c in plan.candidates if c.knob.kind is not Kind.LIMIT)
    trials = []
    for candidate in limits:
        told.tick(candidate.knob.title)
        trials.append(_raised(candidate, session, settings))
        told.tried(trials[-1])
    return replace(plan, candidates=rest), trials


def _raised(candidate: Candidate, session: Session, settings: Settings) -> Trial:
    knob, value = candidate.knob, candidate.value
    outcome = Outcome.KEPT
    try:
        with Change(session.journal, knob, [value]) as change:
            change.set(0)
            reached = "; ".join(_reaches(candidate, settings))
            change.keep(0)
            session.keep(knob, value)
        why = f"{'; '.join(_reasons(value, settings))}. Reach: {reached}"
    except NotPossible as refused:
        outcome, why = Outcome.REFUSED, refused.what
    return Trial(knob=knob.id, title=knob.title, value=dict(value), was=candidate.now, outcome=outcome, why=why)


def _reaches(candidate: Candidate, settings: Settings) -> Iterator[str]:
    assert settings.target is not None
    for name, text in candidate.value.items():
        yield reach(_limit(name), text, settings.target.pid, settings.target.start)


def _reasons(value: Value, settings: Settings) -> Iterator[str]:
    limits = {_limit(name) for name in value}
    for hit in settings.refused:
        if hit.limit.removesuffix(_field(hit.limit)) in limits:
            yield f"{hit.limit}: {hit.why}"


def _limit(name: str) -> str:
    """The limit's own name in that of a part."""
    return name.rpartition(":")[2]


def not_raised(host: Host, settings: Settings, plan: Plan) -> list[Advice]:
    """Refusals that the user named, or that are near, and that nothing in the plan removes, with why."""
    raised = {_limit(name) for c in plan.candidates if c.knob.kind is Kind.LIMIT for name in c.value}
    left = [hit for hit in settings.refused if hit.limit.removesuffix(_field(hit.limit)) not in raised]
    return [Advice(f"{hit.limit} is not raised ({hit.why}): {_why_not(host, settings, hit)}") for hit in left]


def _why_not(host: Host, settings: Settings, hit: Hit) -> str:
    limit = hit.limit.removesuffix(_field(hit.limit))
    if not host.privileges.root:
        return "needs root"
    if any(limit in names and knob in settings.without for knob, names in _KNOBS.items()):
        return "left out by --without"
    target = settings.target
    assert target is not None
    kind = next(kind for kind, names in SPACES.items() if limit in names)
    try:
        mark = replace(space_mark(target.pid, target.start, kind), rest=limit)
    except OSError as error:
        return str(error)
    return f"it is {SysctlPart(mark).read() or 'unknown'} there: it lets that pass already, or no kernel takes as much"


def lasting(kept: Mapping[str, Value]) -> list[Advice]:
    """What makes each setting of the target last: `commit` refuses it."""
    found = [(KNOBS[name], value) for name, value in kept.items() if name in KNOBS]
    return [Advice(f"{knob.title}: {knob.elsewhere(value)}") for knob, value in found if knob.elsewhere is not None]


def nothing_to_change(settings: Settings, plan: Plan) -> list[Advice]:
    """Said of a target of which there is nothing to try: what was looked at, and why there is none."""
    if settings.target is None:
        return []
    reasons: dict[str, list[str]] = {}
    for left in plan.not_tried:
        if left.knob in KNOBS and KNOBS[left.knob].of_target:
            reasons.setdefault(left.why, []).append(KNOBS[left.knob].title)
    return [Advice(f"not changed: {' and '.join(titles)}: {why}") for why, titles in reasons.items()]
