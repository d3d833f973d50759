"""Namespaces of its own for a command: IPC and network, with the limits of the present one copied into them.

Sources: namespaces(7), ipc_namespaces(7), network_namespaces(7), netdevice(7).
"""

import ctypes
import fcntl
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

from ipctune.errors import NotPossible

__all__ = ["LIMITS", "enter"]

_NEWIPC, _NEWUSER, _NEWNET = 0x08000000, 0x10000000, 0x40000000  # linux/sched.h
_GETFLAGS, _SETFLAGS = 0x8913, 0x8914  # linux/sockios.h
_UP = 1
_REQUEST = "16sh22x"

LIMITS = (
    *(f"kernel.{n}" for n in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")),
    *(f"fs.mqueue.{n}" for n in ("msg_default", "msg_max", "msgsize_default", "msgsize_max", "queues_max")),
)
"""What an IPC namespace limits. The *_next_id are not among them: each is an order for the next object, no limit."""


def enter() -> tuple[str, ...]:
    """Leave for IPC and network namespaces of our own, with lo up; returns limits that differ there, in words.

    Without root a user namespace lets us have them, and the limits can't be copied then. Raises NotPossible.
    """
    before, limits = _namespaces(), {name: _read(name) for name in LIMITS}
    _leave()
    if any(old == new for old, new in zip(before, _namespaces(), strict=True)):
        raise NotPossible("--private: the namespaces are still those of the machine")
    _loopback_up()
    return tuple(filter(None, (_copy(name, text) for name, text in limits.items())))


def _namespaces() -> tuple[int, int]:
    return Path("/proc/self/ns/ipc").stat().st_ino, Path("/proc/self/ns/net").stat().st_ino


def _leave() -> None:
    user, group = os.geteuid(), os.getegid()
    if _unshare(_NEWIPC | _NEWNET) == 0:
        return
    error = _unshare(_NEWUSER | _NEWIPC | _NEWNET)
    if error:
        raise NotPossible(
            f"--private: no namespaces of its own: {os.strerror(error)}",
            hint="root may have them; without it user namespaces have to be allowed",
        )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _unshare(flags: int) -> int:
    """0, or the errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if libc.unshare(flags) else 0


def _loopback_up() -> None:
    """A new network namespace has lo, and it is down."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            _, flags = struct.unpack(_REQUEST, fcntl.ioctl(any_socket, _GETFLAGS, struct.pack(_REQUEST, b"lo", 0)))
            fcntl.ioctl(any_socket, _SETFLAGS, struct.pack(_REQUEST, b"lo", flags | _UP))
            _, flags = struct.unpack(_REQUEST, fcntl.ioctl(any_socket, _GETFLAGS, struct.pack(_REQUEST, b"lo", 0)))
    except OSError as error:
        raise NotPossible(f"--private: lo can't be brought up: {error.strerror}") from None
    if not flags & _UP:
        raise NotPossible("--private: lo does not come up")


def _read(name: str) -> str:
    """The present text with single blanks; empty where this kernel has no such limit."""
    try:
        return " ".join(_path(name).read_text().split())
    except OSError:
        return ""


def _path(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _copy(name: str, wanted: str) -> str:
    """Empty where the limit is what it was outside, else what differs."""
    if _read(name) != wanted:
        with suppress(OSError):
            _path(name).write_text(wanted)
    now = _read(name)
    return "" if now == wanted else f"{name} is {now or 'absent'} there, {wanted or 'absent'} outside"
