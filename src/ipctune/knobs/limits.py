"""Knobs that are ceilings: judged by the refusal that they remove, raised only where one was recorded, never lowered.

Sources: proc_sys_kernel(5), mq_overview(7), pipe(7), socket(7), unix(7).
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ipctune.host.model import Host
from ipctune.knobs.files import FilePart, allow
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Lasting, Parts, Scope, Value

__all__ = ["KNOBS", "sysctl_path"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def sysctl_path(name: str) -> str:
    """`kernel.msgmax` → `/proc/sys/kernel/msgmax` (none of ours has a dot inside a component)."""
    return "/proc/sys/" + name.replace(".", "/")


def _rounded_up(size: int) -> int:
    """The next power of two: a ceiling with some room, and a number that people recognise."""
    return 1 << max(0, size - 1).bit_length()


def _limit(
    name: str,
    scope: Scope,
    *,
    title: str,
    needed: Callable[[int], int],
    price: str,
    reach: str,
    source: str,
    not_tried: str = "",
) -> Knob:
    path = allow(sysctl_path(name))

    def parts() -> Parts:
        return {name: FilePart(path)} if Path(path).exists() else {}

    def candidates(host: Host, hints: Hints) -> Sequence[Value]:
        asked = hints.get(f"refused:{name}")
        present = FilePart(path).read()
        if asked is None or present is None or not present.isdigit() or not host.privileges.root:
            return ()
        wanted = needed(int(asked))
        return ({name: str(wanted)},) if wanted > int(present) else ()

    def why_not(host: Host) -> str:
        return "no refusal was recorded" if host.privileges.root else "no refusal was recorded, or not root"

    return Knob(
        id=name,
        title=title,
        kind=Kind.LIMIT,
        scope=scope,
        helps=frozenset({Cause.REFUSED}),
        parts=parts,
        candidates=candidates,
        why_not=why_not,
        price=price,
        reach=reach,
        source=source,
        lasting=Lasting.SYSCTL,
        not_tried=not_tried,
    )


_QUEUES = "new queues in this IPC namespace; containers have their own"
_KERNEL_MEMORY = "kernel memory, up to the limit for each object"

KNOBS = (
    _limit(
        "kernel.msgmax",
        Scope.IPC_NAMESPACE,
        title="largest System V message",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach="every msgsnd in this IPC namespace, at once; containers have their own",
        source="proc_sys_kernel(5)",
    ),
    _limit(
        "kernel.msgmnb",
        Scope.IPC_NAMESPACE,
        title="bytes in a new System V queue",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="proc_sys_kernel(5)",
    ),
    _limit(
        "fs.mqueue.msgsize_max",
        Scope.IPC_NAMESPACE,
        title="largest POSIX queue message",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="mq_overview(7)",
    ),
    _limit(
        "fs.mqueue.msg_max",
        Scope.IPC_NAMESPACE,
        title="messages in a POSIX queue",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="mq_overview(7)",
    ),
    _limit(
        "fs.pipe-max-size",
        Scope.HOST,
        title="largest pipe a user may ask for",
        needed=lambda size: max(_PAGE, _rounded_up(size)),
        price=_KERNEL_MEMORY,
        reach="F_SETPIPE_SZ of every program without CAP_SYS_RESOURCE, at once",
        source="pipe(7)",
    ),
    _limit(
        "net.core.wmem_max",
        Scope.HOST,
        title="largest socket send buffer",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach="SO_SNDBUF of every program, on its next call",
        source="socket(7)",
    ),
    _limit(
        "net.core.rmem_max",
        Scope.HOST,
        title="largest socket receive buffer",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach="SO_RCVBUF of every program, on its next call",
        source="socket(7)",
    ),
    _limit(
        "net.unix.max_dgram_qlen",
        Scope.NET_NAMESPACE,
        title="datagrams queued at a Unix socket",
        needed=_rounded_up,
        price=_KERNEL_MEMORY,
        reach="new Unix sockets in this network namespace",
        source="unix(7)",
        not_tried="no datagram mechanism in this release records a refusal",
    ),
)
