"""How the journal names what belongs to another process: a part's name that is parsed and checked, never a path.

`4242:99817:pipe:[5531]` is the pipe with inode 5531 that process 4242, which started 99,817 ticks after boot, had open;
`4242:99817:ipc:[4026532178]@120034:kernel.msgmni` a limit of the IPC namespace that it stood in at tick 120,034.
"""

import re
from dataclasses import dataclass

__all__ = ["Mark", "parse"]

_MOST_PID = 1 << 22  # PID_MAX_LIMIT, include/linux/threads.h
_NUMBER = r"(?:0|[1-9][0-9]{0,19})"
_MARK = re.compile(
    rf"(?P<pid>{_NUMBER}):(?P<start>{_NUMBER}):(?P<kind>pipe|socket|queue|ipc|net):\[(?P<inode>{_NUMBER})\]"
    rf"(?:@(?P<ticks>{_NUMBER}))?(?::(?P<rest>[a-z0-9_.:]+))?",
    re.ASCII,
)
_QUEUE = re.compile(rf"{_NUMBER}:{_NUMBER}:{_NUMBER}", re.ASCII)
_SYSCTL = re.compile(r"[a-z_]+(?:\.[a-z_]+)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a part's name says.

    `inode` is that of a pipe or socket, or of the namespace in which a queue or a limit is; `ticks` (clock ticks after
    boot) says when that namespace was looked at, as the number of one that ended is given to the next; `rest` is
    a queue's `ID:KEY:CTIME`, or the name of a limit.
    """

    pid: int
    start: int
    kind: str
    inode: int
    ticks: int = 0
    rest: str = ""

    def __str__(self) -> str:
        when = f"@{self.ticks}" if self.kind not in ("pipe", "socket") else ""
        return f"{self.pid}:{self.start}:{self.kind}:[{self.inode}]{when}" + (f":{self.rest}" if self.rest else "")

    @property
    def space(self) -> str:
        """The kind of the namespace in which it is: ipc or net; empty for pipes and sockets."""
        return {"queue": "ipc", "ipc": "ipc", "net": "net"}.get(self.kind, "")

    def queue(self) -> tuple[int, int, int]:
        """Of a queue its id, its key, and when it was changed last before us (s since the epoch)."""
        msqid, key, changed = self.rest.split(":")
        return int(msqid), int(key), int(changed)


def parse(text: str) -> Mark | None:
    """The mark that this text is, or None: for another text than `str` of a mark gives, nothing is looked for."""
    found = _MARK.fullmatch(text)
    if found is None:
        return None
    mark = Mark(
        int(found["pid"]),
        int(found["start"]),
        found["kind"],
        int(found["inode"]),
        int(found["ticks"] or 0),
        found["rest"] or "",
    )
    rest = {"queue": _QUEUE, "ipc": _SYSCTL, "net": _SYSCTL}.get(mark.kind)
    fits = not mark.rest if rest is None else rest.fullmatch(mark.rest) is not None
    return mark if fits and 0 < mark.pid <= _MOST_PID and str(mark) == text else None
