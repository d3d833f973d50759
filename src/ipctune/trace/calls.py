"""The system calls of inter-process communication, with their numbers on the architectures that programs are built for.

Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.errors import NotPossible, WrongUse

__all__ = ["CALLS", "Call", "chosen", "number_of"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its name, its numbers (-1: there is none), and whether only pipes, FIFOs and sockets count.

    The descriptor is the first argument then.
    """

    name: str
    x86_64: int
    aarch64: int
    by_descriptor: bool = False


_IN_FILES = (
    *(("read", 0, 63), ("write", 1, 64), ("readv", 19, 65), ("writev", 20, 66)),
    *(("preadv2", 327, 286), ("pwritev2", 328, 287)),
)
_OTHERS = (
    *(("connect", 42, 203), ("accept", 43, 202), ("accept4", 288, 242)),
    *(("sendto", 44, 206), ("recvfrom", 45, 207), ("sendmsg", 46, 211), ("recvmsg", 47, 212)),
    *(("sendmmsg", 307, 269), ("recvmmsg", 299, 243)),
    *(("shmget", 29, 194), ("shmat", 30, 196), ("shmctl", 31, 195), ("shmdt", 67, 197)),
    *(("msgget", 68, 186), ("msgsnd", 69, 189), ("msgrcv", 70, 188), ("msgctl", 71, 187)),
    *(("semget", 64, 190), ("semop", 65, 193), ("semctl", 66, 191), ("semtimedop", 220, 192)),
    *(("mq_open", 240, 180), ("mq_unlink", 241, 181), ("mq_timedsend", 242, 182), ("mq_timedreceive", 243, 183)),
    *(("mq_notify", 244, 184), ("mq_getsetattr", 245, 185)),
    *(("futex", 202, 98), ("futex_waitv", 449, 449), ("futex_wake", 454, 454), ("futex_wait", 455, 455)),
    *(("sendfile", 40, 71), ("splice", 275, 76), ("tee", 276, 77), ("vmsplice", 278, 75)),
    *(("poll", 7, -1), ("ppoll", 271, 73), ("select", 23, -1), ("pselect6", 270, 72)),
    *(("epoll_wait", 232, -1), ("epoll_pwait", 281, 22), ("epoll_pwait2", 441, 441)),
    ("io_uring_enter", 426, 426),
)
CALLS = (*(Call(*one, by_descriptor=True) for one in _IN_FILES), *(Call(*one) for one in _OTHERS))
"""In an order that does not change within a run: the place of each is its number for the program."""


def number_of(call: Call) -> int:
    """Its number on this machine; -1 where it has none. Raises NotPossible on other architectures."""
    machine = os.uname().machine
    if machine not in ("x86_64", "aarch64"):
        raise NotPossible(f"the numbers of system calls are not known for {machine}")
    return call.x86_64 if machine == "x86_64" else call.aarch64


def chosen(names: Sequence[str]) -> tuple[Call, ...]:
    """The calls of these names, all without one. Raises WrongUse for a name that is none."""
    known = {call.name: call for call in CALLS}
    for name in names:
        if name not in known:
            raise WrongUse(f"{name} is no system call of IPC", hint=f"one of {', '.join(known)}")
    return tuple(call for call in CALLS if not names or call.name in names)
