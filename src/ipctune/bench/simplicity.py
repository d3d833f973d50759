"""Which of two ways is simpler to write and to run, where figures do not tell them apart.

What a way asks of the program is a set of burdens, the worst first; whoever lacks the worse one is simpler. A byte
stream through a descriptor that the kernel guards has none of the first ones: read, write and poll are all it takes.
"""

from collections.abc import Iterable
from enum import Enum

__all__ = ["Burden", "Rank", "burdens", "rank"]


class Burden(Enum):
    """What the program has to take care of itself, the worst first; each value is the reason."""

    SYNCHRONISATION = "waiting, waking and the order of memory are written by hand"
    PAGES = "what was sent must not be touched before the other side has read it"
    LOSES = "messages can be lost: numbering and sending again are the program's"
    RIGHTS = "needs rights over the other process, or a call that containers often forbid"
    SPINS = "keeps a vCPU busy while it waits"
    NO_POLL = "no descriptor: poll and epoll can't wait for it"
    LEFT_BEHIND = "a name or an id stays behind when the program dies"
    ADDRESS = "one side listens at an address that others reach as well"
    INHERITED = "both sides come from one parent, or one is handed the descriptor"


_SHARED = (Burden.SYNCHRONISATION, Burden.NO_POLL)
_BURDENS: dict[str, tuple[Burden, ...]] = {
    "pipe": (Burden.INHERITED,),
    "fifo": (Burden.LEFT_BEHIND,),
    "unix-stream": (Burden.INHERITED,),
    "unix-dgram": (Burden.INHERITED,),
    "unix-seqpacket": (Burden.INHERITED,),
    "unix-abstract": (Burden.ADDRESS,),
    "unix-path": (Burden.LEFT_BEHIND, Burden.ADDRESS),
    "tcp": (Burden.ADDRESS,),
    "udp": (Burden.LOSES, Burden.ADDRESS),
    "sysv-msg": (Burden.NO_POLL, Burden.LEFT_BEHIND),
    "posix-mq": (Burden.LEFT_BEHIND,),
    "memfd-eventfd": (Burden.SYNCHRONISATION, Burden.INHERITED),
    "memfd-signal": (Burden.SYNCHRONISATION, Burden.INHERITED),
    "memfd-futex": (*_SHARED, Burden.INHERITED),
    "memfd-mutex-cond": (*_SHARED, Burden.INHERITED),
    "memfd-spin": (*_SHARED, Burden.SPINS, Burden.INHERITED),
    "memfd-spin-futex": (*_SHARED, Burden.SPINS, Burden.INHERITED),
    "sysv-shm-futex": (*_SHARED, Burden.LEFT_BEHIND),
    "sysv-shm-sem": (*_SHARED, Burden.LEFT_BEHIND),
    "sysv-shm-posix-sem": (*_SHARED, Burden.LEFT_BEHIND),
    "process-vm-readv": (*_SHARED, Burden.RIGHTS),
    "splice": (Burden.PAGES, Burden.INHERITED),
    "tee": (Burden.PAGES, Burden.INHERITED),
    "vmsplice": (Burden.PAGES, Burden.INHERITED),
    "sendfile": (Burden.PAGES, Burden.INHERITED),
    "copy-file-range": (*_SHARED, Burden.INHERITED),
    "tcp-zerocopy": (Burden.PAGES, Burden.ADDRESS),
    "io-uring": (Burden.RIGHTS, Burden.INHERITED),
}
"""What the core does not tell of its mechanisms. One that is not here is unknown, and comes last."""

_OF_OPTIONS = {("wait", "retry"): Burden.SPINS}
"""What an option adds at one of its values."""

Rank = tuple[bool, tuple[bool, ...], int]
"""Compares as simplicity does: the smaller is the simpler."""


def burdens(mechanism: str, options: Iterable[tuple[str, str]] = ()) -> tuple[Burden, ...] | None:
    """What it asks of the program, the worst first; None where that is not known."""
    known = _BURDENS.get(mechanism)
    if known is None:
        return None
    added = {_OF_OPTIONS.get((name, value)) for name, value in options}
    return tuple(one for one in Burden if one in known or one in added)


def rank(mechanism: str, options: tuple[tuple[str, str], ...] = ()) -> Rank:
    """Unknown ones after all others; then by burdens; then the fewer options. The rest is the core's own order."""
    known = burdens(mechanism, options)
    return known is None, tuple(one in (known or ()) for one in Burden), len(options)
