"""A command that fails because of a limit of its own process: known by what it printed, shown by raising that alone.

A limit is not timed. It is raised for one run, and held against one more run without it; that it failed before, ran
with the limit raised, and fails again without it is what is shown.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.host.model import Host
from ipctune.knobs.model import Knob, Value
from ipctune.knobs.registry import KNOBS
from ipctune.knobs.rlimits import NAMES, lasting_lines, present
from ipctune.tune.model import Advice, Outcome, Refusal, Settings, Trial
from ipctune.workload.model import Adjustable, Workload

__all__ = ["Helped", "refused_limit", "runs_with"]

_SAID = {
    "RLIMIT_MSGQUEUE": re.compile(r"mq_open.*(Too many open files|EMFILE)|RLIMIT_MSGQUEUE", re.IGNORECASE),
    "RLIMIT_MEMLOCK": re.compile(
        r"\bm(un)?lock(all|2)?\b.*(Cannot allocate memory|ENOMEM|Operation not permitted|EPERM|temporarily unavailable)"
        r"|RLIMIT_MEMLOCK|locked memory",
        re.IGNORECASE,
    ),
}
"""What a refusal reads like: mlock(2) ENOMEM, EPERM, EAGAIN; mq_open(3) EMFILE, where open files may be at fault."""
_ERRNO = {"RLIMIT_MSGQUEUE": ("mq_open", "EMFILE"), "RLIMIT_MEMLOCK": ("mlock", "ENOMEM")}


@dataclass(frozen=True, slots=True)
class Helped:
    """The refusal, the trial of the limit, and where it did help how to make it last."""

    refusal: Refusal
    trial: Trial
    advice: tuple[Advice, ...]


def refused_limit(failed: WorkloadFailed) -> str | None:
    """The limit that the command's last lines name, as setrlimit(2) calls it."""
    lines = failed.hint.splitlines()
    return next((name for name, said in _SAID.items() if any(map(said.search, lines))), None)


def runs_with(
    host: Host, settings: Settings, workload: Workload | None, failed: WorkloadFailed, tick: Callable[[str], None]
) -> Helped | None:
    """Try the limit that the failure names; None where it names none, or none that may be tried here.

    Raises WorkloadFailed where the command fails no more without it: then it was something else.
    """
    name = refused_limit(failed)
    if name is None or settings.command is None or not isinstance(workload, Adjustable):
        return None
    knob = KNOBS.get(NAMES[name])
    if knob is None or knob.id in settings.without or (settings.only and knob.id not in settings.only):
        return None
    values = knob.candidates(host, {f"refused:{name}": ""})
    return _shown(knob, name, values[0], workload, failed, tick) if values else None


def _shown(
    knob: Knob, name: str, value: Value, workload: Adjustable, failed: WorkloadFailed, tick: Callable[[str], None]
) -> Helped:
    load, said = workload.loads[0], _said(failed, name)
    call, errno = _ERRNO[name]
    refusal = Refusal(call, errno, name, f"the command was refused: {said}")
    tick(f"the command with {name} {value[name]}")
    try:
        workload.adjusted(value).sample(load, 0.0, 0)
    except (NotPossible, WorkloadFailed) as error:
        return Helped(refusal, _trial(knob, name, value, Outcome.NO_GAIN, f"with it, {error.what} as well"), ())
    tick("the command without it again")
    try:
        workload.sample(load, 0.0, 0)
    except WorkloadFailed:
        why = "the command fails without it, runs with it, and fails without it again"
        lines = lasting_lines(name, int(value[name]))
        advice = tuple(Advice(f"{name} {value[name]} for {line}") for line in lines)
        return Helped(refusal, _trial(knob, name, value, Outcome.ADVICE, why), advice)
    raise failed


def _said(failed: WorkloadFailed, name: str) -> str:
    return next((line.strip() for line in failed.hint.splitlines() if _SAID[name].search(line)), failed.what)


def _trial(knob: Knob, name: str, value: Value, outcome: Outcome, why: str) -> Trial:
    soft, _ = present(name)
    was = {name: "unlimited" if soft is None else str(soft)}
    return Trial(knob.id, knob.title, dict(value), was, outcome, why)
