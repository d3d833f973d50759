"""kernel.sem: four ceilings in one file, and so one knob. None of them is ever lowered.

Source: proc_sys_kernel(5), semget(2), semop(2).
"""

from ipctune.host.model import Host
from ipctune.knobs.limits import MOST_OBJECTS, limit_knob, rounded_up
from ipctune.knobs.model import Hints, Scope

__all__ = ["FIELDS", "KNOBS"]

_NAME = "kernel.sem"
_INT_MAX = (1 << 31) - 1
FIELDS: dict[str, int] = {"semmsl": 65536, "semmns": _INT_MAX, "semopm": _INT_MAX, "semmni": MOST_OBJECTS}
"""The four in the order of the file, and the most that the kernel takes.

A refusal names one: semget EINVAL semmsl, semget ENOSPC semmni or semmns, semop E2BIG semopm.
"""


def _wanted(_host: Host, hints: Hints, present: str) -> str | None:
    """All four, each as high as it is or as what was refused takes."""
    words = present.split()
    if len(words) != len(FIELDS) or not all(word.isdigit() for word in words):
        return None
    now = [int(word) for word in words]
    raised = [_raised(hints.get(f"refused:{_NAME}.{name}"), have, name) for name, have in zip(FIELDS, now, strict=True)]
    return " ".join(map(str, raised)) if raised != now else None


def _raised(asked: str | None, have: int, name: str) -> int:
    if asked is None or not asked.isdigit() or int(asked) > FIELDS[name]:
        return have
    return max(have, min(rounded_up(int(asked)), FIELDS[name]))


KNOBS = (
    limit_knob(
        _NAME,
        Scope.IPC_NAMESPACE,
        title="System V semaphores: an array, in all, operations a call, arrays",
        wanted=_wanted,
        price="kernel memory, a little for each semaphore that exists",
        reach="new arrays in this IPC namespace; containers have their own",
        source="proc_sys_kernel(5)",
    ),
)
