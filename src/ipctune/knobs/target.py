"""Knobs of one process that the user names (`tune --target PID`): its live objects, and limits of its namespaces.

Their parts are named by marks (`marks.py`). A hint `target` is `PID:START`; without it there is nothing to try.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from ipctune.host.model import Host
from ipctune.knobs import limits, semaphores
from ipctune.knobs.files import FilePart
from ipctune.knobs.limits import sysctl_path
from ipctune.knobs.marks import Mark, parse
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Part, Scope, Value
from ipctune.knobs.objects import MarkedParts, PipePart, QueuePart, SocketPart
from ipctune.knobs.others import (
    inside,
    links,
    own_space,
    process,
)
from ipctune.knobs.spaces import SysctlPart, queue_rows, space_mark

__all__ = ["KNOBS", "SPACES", "queues_of"]

_BY_SPACE = {
    space: {knob.id: knob for knob in (*limits.KNOBS, *semaphores.KNOBS) if knob.scope is scope}
    for space, scope in (("ipc", Scope.IPC_NAMESPACE), ("net", Scope.NET_NAMESPACE))
}
SPACES: dict[str, tuple[str, ...]] = {space: tuple(knobs) for space, knobs in _BY_SPACE.items()}
"""The limits that each kind of namespace has for itself, by name."""

_MOST = 32  # objects of a kind: a server with thousands of connections would be at it for seconds at each switch
_LOOKED_AT = 512
_LARGEST = 1 << 20
_LINK = re.compile(r"(pipe|socket):\[([0-9]+)\]", re.ASCII)
_FULL = frozenset({Cause.FULL_QUEUE})
_PROGRAM = "it ends with the process: what lasts is the program's own to set, "
_NONE = "needs --target PID, a process that has some, all of them not as large as can be"


# What the target has ----------------------------------------------------------------------------------------------


def _target(hints: Hints) -> tuple[int, int] | None:
    pid, _, start = hints.get("target", "").partition(":")
    return (int(pid), int(start)) if pid.isdigit() and start.isdigit() else None


def _ends(kind: str, pid: int, start: int) -> Iterator[Mark]:
    """Its pipes or sockets, each once. Nothing where they may not be seen."""
    seen: dict[int, None] = {}
    with suppress(OSError), process(pid, start) as folder:
        for _, leads_to in islice(links(folder), _LOOKED_AT):
            found = _LINK.fullmatch(leads_to)
            if found is not None and found[1] == kind:
                seen[int(found[2])] = None
    yield from (Mark(pid, start, kind, inode) for inode in seen)


def queues_of(pid: int, start: int) -> list[Mark]:
    """System V queues of its IPC namespace that it sent to or received from last. Raises OSError."""
    space = space_mark(pid, start, "ipc")
    rows = inside(space, queue_rows)
    return [
        Mark(pid, start, "queue", space.inode, space.ticks, f"{row['msqid']}:{row['key'] & 0xFFFFFFFF}:{row['ctime']}")
        for row in rows
        if pid in (row["lspid"], row["lrpid"])
    ]


def _larger(marks: Sequence[Mark], make: Callable[[Mark], Part], most: int) -> Sequence[Value]:
    """One value: each of these as large as can be, where it is not yet; none where nothing is left."""
    value: dict[str, str] = {}
    for mark in marks:
        now = make(mark).read()
        if now is not None and now.isdigit() and int(now) < most and len(value) < _MOST:
            value[str(mark)] = str(most)
    return (value,) if value else ()


def _pipes(host: Host, hints: Hints) -> Sequence[Value]:
    found = _target(hints)
    return _larger(list(_ends("pipe", *found)), _pipe, _limit(host, "fs.pipe-max-size")) if found else ()


def _sockets(host: Host, hints: Hints) -> Sequence[Value]:
    """Those whose present size can be given back exactly: setsockopt(2) doubles what it is given."""
    found = _target(hints)
    marks = list(_ends("socket", *found)) if found else []
    exact = [mark for mark in marks if (now := _socket(mark).read()) is not None and int(now) % 2 == 0]
    return _larger(exact, _socket, 2 * _limit(host, "net.core.wmem_max"))


def _queues(host: Host, hints: Hints) -> Sequence[Value]:
    found = _target(hints)
    if found is None:
        return ()
    try:
        marks = queues_of(*found)
        most = _LARGEST
        if marks and not host.privileges.has("CAP_SYS_RESOURCE"):
            most = int(inside(marks[0], FilePart(sysctl_path("kernel.msgmnb")).read) or 0)
    except (OSError, NotImplementedError):
        return ()
    return _larger(marks, _queue, most)


def _limit(host: Host, name: str) -> int:
    found = host.limits.get(name)
    return _LARGEST if found is None or found.value is None else min(found.value, _LARGEST)


def _limits(space: str) -> Callable[[Host, Hints], Sequence[Value]]:
    """What the limits' own knobs would raise, had they been asked there."""

    def candidates(host: Host, hints: Hints) -> Sequence[Value]:
        found = _target(hints)
        if found is None or not any(name.startswith("refused:") for name in hints):
            return ()
        try:
            mark = space_mark(*found, space)
            if mark.inode == own_space(space):
                return ()  # the machine's own: the limits' own knobs raise them
            raised = inside(mark, lambda: [v for k in _BY_SPACE[space].values() for v in k.candidates(host, hints)[:1]])
        except (OSError, NotImplementedError):
            return ()
        value = {_named(mark, name): text for one in raised for name, text in one.items()}
        return (value,) if value else ()

    return candidates


def _named(mark: Mark, name: str) -> str:
    return str(Mark(mark.pid, mark.start, mark.kind, mark.inode, mark.ticks, name))


def _as_configuration(value: Value) -> str:
    """What makes these limits last: never a file of the host, whose namespaces are others."""
    limits_ = {mark.rest: text for name, text in value.items() if (mark := parse(name)) is not None}
    compose = ", ".join(f'{name}: "{text}"' for name, text in limits_.items())
    run = " ".join(f"--sysctl {shlex.quote(f'{name}={text}')}" for name, text in limits_.items())
    return (
        f"it belongs into the container's own configuration: compose `sysctls: {{ {compose} }}`, or "
        f"`docker run {run}` (podman too), for a new container; without one, whatever makes that namespace sets it"
    )


def _pipe(mark: Mark) -> Part:
    return PipePart(mark, "target-pipes")


def _socket(mark: Mark) -> Part:
    return SocketPart(mark, "target-sockets")


def _queue(mark: Mark) -> Part:
    return QueuePart(mark, "target-queues")


def _live(name: str, title: str, candidates: Callable[[Host, Hints], Sequence[Value]], parts: MarkedParts, *,
          price: str, reach: str, source: str, last: str) -> Knob:  # fmt: skip
    return Knob(
        id=name,
        title=title,
        kind=Kind.LIVE,
        scope=Scope.PROCESS,
        helps=_FULL,
        candidates=candidates,
        why_not=lambda _host: _NONE,
        parts=lambda: parts,
        price=price,
        reach=reach,
        source=source,
        of_target=True,
        memory=lambda value: max((int(text) for text in value.values() if text.isdigit()), default=0),
        elsewhere=lambda _value: _PROGRAM + last,
    )


def _of_space(name: str, title: str, space: str, scope: Scope, reach: str) -> Knob:
    parts = MarkedParts((space,), SysctlPart, SPACES[space])
    return Knob(
        id=name,
        title=title,
        kind=Kind.LIMIT,
        scope=scope,
        helps=frozenset({Cause.REFUSED}),
        candidates=_limits(space),
        why_not=lambda _host: "no refusal was recorded that it removes, and nothing is nearly used up there",
        parts=lambda: parts,
        price="kernel memory, up to the limit for each object",
        reach=reach,
        source="namespaces(7), setns(2), proc_sys_kernel(5)",
        of_target=True,
        elsewhere=_as_configuration,
    )


KNOBS = (
    _live(
        "target-pipes",
        "capacity of the target's pipes",
        _pipes,
        MarkedParts(("pipe",), _pipe),
        price="kernel memory, up to the capacity for each pipe",
        reach="pipes that the process has open, at once, for whoever has the other end; not those that it makes later",
        source="fcntl(2) F_SETPIPE_SZ",
        last="with fcntl(F_SETPIPE_SZ)",
    ),
    _live(
        "target-sockets",
        "send buffers of the target's Unix sockets",
        _sockets,
        MarkedParts(("socket",), _socket),
        price="kernel memory, up to the buffer for each socket",
        reach="Unix sockets that the process has open, at once; not the other end's, nor later ones. SO_RCVBUF limits "
        "nothing there; TCP sockets are left alone, as their autotuning could not be given back",
        source="socket(7) SO_SNDBUF, pidfd_getfd(2)",
        last="with setsockopt(SO_SNDBUF), up to net.core.wmem_max",
    ),
    _live(
        "target-queues",
        "bytes in the target's System V queues",
        _queues,
        MarkedParts(("queue",), _queue),
        price="kernel memory, up to the limit for each queue",
        reach="queues that it sent to or received from last, at once, for all who use them",
        source="msgctl(2) IPC_SET",
        last="with msgctl(IPC_SET), or kernel.msgmnb before the queue is made",
    ),
    _of_space(
        "target-ipc-limits",
        "limits of the target's IPC namespace",
        "ipc",
        Scope.IPC_NAMESPACE,
        "all in that namespace, for new objects (kernel.msgmax at once); queues that exist keep their bytes",
    ),
    _of_space(
        "target-net-limits",
        "limits of the target's network namespace",
        "net",
        Scope.NET_NAMESPACE,
        "all in that namespace, for new sockets; who listens keeps the backlog until it starts again",
    ),
)
