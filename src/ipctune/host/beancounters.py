"""OpenVZ's own limits, which the host sets for a container: /proc/user_beancounters (OpenVZ: User Beancounters).

Each row holds what is held now, the most that was held, a barrier, a limit, and how often more was refused.
"""

from ipctune.host.model import Limit
from ipctune.host.root import Root
from ipctune.host.text import fields, number

__all__ = ["BEANS", "PREFIX", "read_beancounters"]

PREFIX = "beancounter "
BEANS: dict[str, tuple[str, str]] = {
    "shmpages": ("pages", "shared memory"),
    "lockedpages": ("pages", "locked memory"),
    "privvmpages": ("pages", "private memory"),
    "physpages": ("pages", "memory"),
    "kmemsize": ("bytes", "kernel memory"),
    "numproc": ("tasks", "processes and threads"),
    "numfile": ("files", "open files"),
    "numothersock": ("sockets", "Unix and other sockets"),
    "othersockbuf": ("bytes", "send buffers of Unix sockets"),
    "dgramrcvbuf": ("bytes", "receive buffers of datagrams"),
    "numtcpsock": ("sockets", "TCP sockets"),
    "tcpsndbuf": ("bytes", "send buffers of TCP"),
    "tcprcvbuf": ("bytes", "receive buffers of TCP"),
}
"""The resources that IPC uses: their unit, and what they are in words."""

_ENDLESS = (1 << 62, (1 << 31) - 1)  # LONG_MAX of 64 bits, in pages too, and that of 32 bits
_COLUMNS = 5


def read_beancounters(root: Root) -> list[Limit]:
    """What the host caps for this container; empty on the host itself, where each container has rows of its own."""
    if root.exists("/proc/bc"):
        return []
    rows = (row[-_COLUMNS - 1 :] for row in fields(root.text("/proc/user_beancounters")) if len(row) > _COLUMNS)
    found = (_bean(row[0], [number(word) for word in row[1:]]) for row in rows if row[0] in BEANS)
    return list({limit.name: limit for limit in found if limit is not None}.values())


def _bean(name: str, values: list[int | None]) -> Limit | None:
    held, most, barrier, limit, refused = values
    if held is None or barrier is None or limit is None:
        return None
    soft = barrier if 0 < barrier < limit else limit
    return Limit(
        f"{PREFIX}{name}",
        soft,
        BEANS[name][0],
        "host",
        use=held,
        unlimited=_endless(soft),
        hard=None if _endless(limit) else limit,
        effect="set by the host",
        who=f"refused {refused} times" if refused else "",
        peak=most,
        refusals=refused,
    )


def _endless(value: int) -> bool:
    return value >= _ENDLESS[0] or value == _ENDLESS[1]
