"""Whom a raised limit reaches, looked up on the live objects of that namespace and not on the limit."""

from collections.abc import Callable

from ipctune.errors import IpctuneError
from ipctune.host.calls import queue
from ipctune.knobs.others import inside
from ipctune.knobs.registry import KNOBS
from ipctune.knobs.spaces import queue_ids, space_mark
from ipctune.services.diag import DGRAM, LISTEN, open_diag, tcp_sockets, unix_sockets

__all__ = ["reach"]


def reach(limit: str, text: str, pid: int, start: int) -> str:
    """In words, for a limit that was just raised to `text` in a namespace of that process."""
    known = _LOOKS.get(limit)
    if known is None or not text.isdigit():
        return f"{limit}: {KNOBS[limit].reach.partition('; containers')[0]}"
    kind, counted = known
    try:
        return f"{limit}: {inside(space_mark(pid, start, kind), lambda: counted(int(text)))}"
    except (OSError, NotImplementedError, IpctuneError) as error:
        return f"{limit}: whom it reaches could not be looked up ({error})"


def _queues(most: int) -> str:
    sizes = [queue(msqid).bytes for msqid in queue_ids()]
    below = [size for size in sizes if size < most]
    return _kept(len(below), "queue", f"{max(below, default=0):,} bytes", "it is made anew, or msgctl(IPC_SET)")


def _listeners(most: int) -> str:
    with open_diag() as asked:
        found = [one.most for one in unix_sockets(asked, 1 << LISTEN)]
        found += [one.most for one in tcp_sockets(asked, 1 << LISTEN)]
    below = [backlog for backlog in found if backlog < most]
    return _kept(len(below), "listening socket", f"its backlog (the longest {max(below, default=0):,})", "its program "
                 "starts again and asks for more")  # fmt: skip


def _datagrams(_most: int) -> str:
    with open_diag() as asked:
        found = [one for one in unix_sockets(asked) if one.type == DGRAM]
    return _kept(len(found), "datagram socket", "its queue's length", "its program starts again")


def _kept(count: int, what: str, value: str, until: str) -> str:
    if not count:
        return f"no {what} is there yet that would have less"
    many, keep = ("", "keeps") if count == 1 else ("s", "keep")
    return f"{count} {what}{many} that {'is' if count == 1 else 'are'} there {keep} {value} until {until}"


_LOOKS: dict[str, tuple[str, Callable[[int], str]]] = {
    "kernel.msgmnb": ("ipc", _queues),
    "net.core.somaxconn": ("net", _listeners),
    "net.unix.max_dgram_qlen": ("net", _datagrams),
}
"""Limits that objects copy when they are made, and how those that are there are looked at."""
