"""Limits of a process that it inherits when it is started: locked memory, bytes in POSIX queues.

They are tried on a command that was refused, on that command alone, and end as advice with the lines that make them
last.
Sources: setrlimit(2), mq_overview(7), limits.conf(5), systemd.exec(5), prlimit(1).
"""

import resource
from collections.abc import Callable, Sequence

from ipctune.host.model import Host
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Scope, Value

__all__ = ["KNOBS", "NAMES", "lasting_lines", "present"]

NAMES = {"RLIMIT_MEMLOCK": "rlimit-memlock", "RLIMIT_MSGQUEUE": "rlimit-msgqueue"}
"""The limits as setrlimit(2) calls them, which are also the names of the knobs' parts, and the knobs' ids."""

_TIMES = 8
_LEAST = {"RLIMIT_MEMLOCK": 64 << 20, "RLIMIT_MSGQUEUE": 8 << 20}
"""Bytes that are tried at least where root may raise the hard limit: a multiple of a small default is still small."""


def present(name: str) -> tuple[int | None, int | None]:
    """The soft and the hard limit of this process in bytes, which a command inherits; None: unlimited."""
    found = resource.getrlimit(getattr(resource, name))
    soft, hard = (None if value == resource.RLIM_INFINITY else value for value in found)
    return soft, hard


def lasting_lines(name: str, value: int) -> tuple[str, ...]:
    """What makes the limit last, and what has to be started again: for a unit of systemd, for a login, for now.

    A hard limit that is higher than the value is left as it is: to name one figure alone would lower it.
    """
    short = name.removeprefix("RLIMIT_")
    item, hard = short.lower(), present(name)[1]
    higher = hard is None or hard > value
    unit = f"{value}:{'infinity' if hard is None else hard}" if higher else f"{value}"
    amount = value >> 10 if name == "RLIMIT_MEMLOCK" else value  # limits.conf(5) counts locked memory in KiB
    return (
        f"a unit of systemd: systemctl edit UNIT, [Service] Limit{short}={unit}, then systemctl restart UNIT",
        f"a login: `USER {'soft' if higher else '-'} {item} {amount}` in /etc/security/limits.d/90-{item}.conf, "
        "then a new login",
        f"this command alone: prlimit --{item}={value}{':' if higher else ''} COMMAND",
    )


def _candidates(name: str) -> Callable[[Host, Hints], Sequence[Value]]:
    def candidates(host: Host, hints: Hints) -> Sequence[Value]:
        """One value, where a refusal was recorded: the hard limit, or as root one well above the present."""
        soft, hard = present(name)
        if f"refused:{name}" not in hints or soft is None:
            return ()
        wanted = max(_TIMES * soft, _LEAST[name])
        if not host.privileges.has("CAP_SYS_RESOURCE") and hard is not None:
            wanted = min(wanted, hard)
        return ({name: str(wanted)},) if wanted > soft else ()

    return candidates


def _why_not(name: str) -> Callable[[Host], str]:
    def why_not(host: Host) -> str:
        soft, hard = present(name)
        if soft is None:
            return "it is unlimited already"
        barred = soft == hard and not host.privileges.has("CAP_SYS_RESOURCE")
        return "no refusal was recorded" + (", and only root may raise the hard limit" if barred else "")

    return why_not


def _knob(name: str, title: str, price: str, reach: str, source: str) -> Knob:
    return Knob(
        id=NAMES[name],
        title=title,
        kind=Kind.OPTION,
        scope=Scope.PROCESS,
        helps=frozenset({Cause.REFUSED}),
        candidates=_candidates(name),
        why_not=_why_not(name),
        price=price,
        reach=reach,
        source=source,
        undo="advice only",
        memory=lambda value: int(value[name]),
    )


KNOBS = (
    _knob(
        "RLIMIT_MEMLOCK",
        "locked memory of the command",
        "memory that can't be swapped out, up to the limit",
        "that command and what it starts; a running service only after its restart",
        "setrlimit(2), mlock(2)",
    ),
    _knob(
        "RLIMIT_MSGQUEUE",
        "bytes in POSIX queues for the command's user",
        "kernel memory, up to the limit, for all queues of the user",
        "that command and what it starts; a running service only after its restart",
        "setrlimit(2), mq_overview(7)",
    ),
)
