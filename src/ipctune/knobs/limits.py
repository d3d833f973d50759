"""Knobs that are ceilings: judged by the refusal that they remove, raised only where one was recorded, never lowered.

Sources: proc_sys_kernel(5), mq_overview(7), pipe(7), socket(7), unix(7).
"""

import os
from collections.abc import Callable, Sequence

from ipctune.host.model import Host
from ipctune.knobs.files import FilePart
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Lasting, Scope
from ipctune.knobs.single import file_knob

__all__ = ["KNOBS", "MOST_OBJECTS", "NO_MECHANISM", "Wanted", "limit_knob", "rounded_up", "sysctl_path"]

MOST_OBJECTS = 1 << 15  # IPCMNI, ipc/util.h: more identifiers take ipcmni_extend on the boot command line
NO_MECHANISM = (
    "no mechanism of `bench` and `tune` is refused by it: set, verified and restored in tests, never by a run"
)
_ULONG_MAX = (1 << 64) - 1
_MOST_LENGTH = (1 << 31) - 1  # an int in the kernel
_PAGE = os.sysconf("SC_PAGE_SIZE")


def sysctl_path(name: str) -> str:
    """`kernel.msgmax` → `/proc/sys/kernel/msgmax` (none of ours has a dot inside a component)."""
    return "/proc/sys/" + name.replace(".", "/")


def rounded_up(size: int) -> int:
    """The next power of two: a ceiling with some room, and a number that people recognise."""
    return 1 << max(0, size - 1).bit_length()


Needed = Callable[[Host, int], int]
"""The ceiling that lets pass what was asked for, both in the limit's own unit."""

Wanted = Callable[[Host, Hints, str], str | None]
"""The text that lets pass what was refused, given the present text; None where none would, or nothing was refused."""


def one_number(name: str, needed: Needed, most: int | None = None) -> Wanted:
    """Of a limit that is one number: higher than the present one, `most` at most."""

    def wanted(host: Host, hints: Hints, present: str) -> str | None:
        asked = hints.get(f"refused:{name}")
        if asked is None or not asked.isdigit() or not present.isdigit() or int(asked) > (most or int(asked)):
            return None
        value = min(needed(host, int(asked)), most or needed(host, int(asked)))
        return str(value) if value > int(present) else None

    return wanted


def limit_knob(
    name: str,
    scope: Scope,
    *,
    title: str,
    wanted: Wanted,
    price: str,
    reach: str,
    source: str,
    not_tried: str = "",
) -> Knob:
    """A sysctl that is a ceiling; its id is the sysctl's name, and so is that of its one part."""
    path = sysctl_path(name)

    def texts(host: Host, hints: Hints) -> Sequence[str]:
        present = FilePart(path).read()
        text = None if present is None or not host.privileges.root else wanted(host, hints, present)
        return () if text is None else (text,)

    def why_not(host: Host) -> str:
        return "no refusal was recorded" if host.privileges.root else "no refusal was recorded, or not root"

    return file_knob(
        name,
        path,
        kind=Kind.LIMIT,
        scope=scope,
        title=title,
        helps=Cause.REFUSED,
        texts=texts,
        why_not=why_not,
        price=price,
        reach=reach,
        source=source,
        lasting=Lasting.SYSCTL,
        not_tried=not_tried,
    )


def _limit(
    name: str,
    scope: Scope,
    *,
    title: str,
    price: str,
    reach: str,
    source: str,
    needed: Needed = lambda _host, asked: rounded_up(asked),
    most: int | None = None,
    not_tried: str = "",
) -> Knob:
    return limit_knob(
        name,
        scope,
        title=title,
        wanted=one_number(name, needed, most),
        price=price,
        reach=reach,
        source=source,
        not_tried=not_tried,
    )


def _all_memory(host: Host) -> int:
    return host.memory.total or 0


_QUEUES = "new queues in this IPC namespace; containers have their own"
_SEGMENTS = "new segments in this IPC namespace; containers have their own"
_KERNEL_MEMORY = "kernel memory, up to the limit for each object"

KNOBS = (
    _limit(
        "kernel.msgmax",
        Scope.IPC_NAMESPACE,
        title="largest System V message",
        price=_KERNEL_MEMORY,
        reach="every msgsnd in this IPC namespace, at once; containers have their own",
        source="proc_sys_kernel(5)",
    ),
    _limit(
        "kernel.msgmnb",
        Scope.IPC_NAMESPACE,
        title="bytes in a new System V queue",
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="proc_sys_kernel(5)",
    ),
    _limit(
        "fs.mqueue.msgsize_max",
        Scope.IPC_NAMESPACE,
        title="largest POSIX queue message",
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="mq_overview(7)",
    ),
    _limit(
        "fs.mqueue.msg_max",
        Scope.IPC_NAMESPACE,
        title="messages in a POSIX queue",
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="mq_overview(7)",
    ),
    _limit(
        "fs.pipe-max-size",
        Scope.HOST,
        title="largest pipe a user may ask for",
        needed=lambda _host, size: max(_PAGE, rounded_up(size)),
        price=_KERNEL_MEMORY,
        reach="F_SETPIPE_SZ of every program without CAP_SYS_RESOURCE, at once",
        source="pipe(7)",
    ),
    _limit(
        "net.core.wmem_max",
        Scope.HOST,
        title="largest socket send buffer",
        price=_KERNEL_MEMORY,
        reach="SO_SNDBUF of every program, on its next call",
        source="socket(7)",
    ),
    _limit(
        "net.core.rmem_max",
        Scope.HOST,
        title="largest socket receive buffer",
        price=_KERNEL_MEMORY,
        reach="SO_RCVBUF of every program, on its next call",
        source="socket(7)",
    ),
    _limit(
        "net.unix.max_dgram_qlen",
        Scope.NET_NAMESPACE,
        title="datagrams queued at a Unix socket",
        price=_KERNEL_MEMORY,
        reach="new Unix sockets in this network namespace; containers have their own",
        source="unix(7)",
        most=_MOST_LENGTH,
        not_tried=NO_MECHANISM,
    ),
    _limit(
        "net.core.somaxconn",
        Scope.NET_NAMESPACE,
        title="connections that wait at a listening socket",
        price="kernel memory for each waiting connection",
        reach="the next listen() in this network namespace, so: programs that start again; containers have their own",
        source="listen(2)",
        most=_MOST_LENGTH,
        not_tried=NO_MECHANISM,
    ),
    _limit(
        "kernel.msgmni",
        Scope.IPC_NAMESPACE,
        title="System V queues in all",
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="proc_sys_kernel(5)",
        most=MOST_OBJECTS,
    ),
    _limit(
        "fs.mqueue.queues_max",
        Scope.IPC_NAMESPACE,
        title="POSIX queues in all",
        price=_KERNEL_MEMORY,
        reach=_QUEUES,
        source="mq_overview(7)",
        most=_MOST_LENGTH,
    ),
    _limit(
        "kernel.shmmni",
        Scope.IPC_NAMESPACE,
        title="System V segments in all",
        price="kernel memory, a little for each segment",
        reach=_SEGMENTS,
        source="proc_sys_kernel(5)",
        most=MOST_OBJECTS,
    ),
    _limit(
        "kernel.shmmax",
        Scope.IPC_NAMESPACE,
        title="largest System V segment",
        needed=lambda host, size: max(rounded_up(size), _all_memory(host)),
        price="none until it is used: a ceiling, no reservation",
        reach=_SEGMENTS,
        source="proc_sys_kernel(5)",
        most=_ULONG_MAX,
    ),
    _limit(
        "kernel.shmall",
        Scope.IPC_NAMESPACE,
        title="pages of all System V segments together",
        needed=lambda host, pages: max(rounded_up(pages), _all_memory(host) // _PAGE),
        price="none until it is used: a ceiling, no reservation",
        reach=_SEGMENTS,
        source="proc_sys_kernel(5)",
        most=_ULONG_MAX,
    ),
)
