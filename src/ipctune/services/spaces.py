"""A short visit to another namespace: a child enters it, looks, sends what it saw and ends."""

import array
import errno
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from ipctune.host.calls import CLONE_NEWIPC, CLONE_NEWNET, setns

__all__ = ["IPC", "NET", "Seen", "visit", "why_not"]

IPC, NET = ("ipc", CLONE_NEWIPC), ("net", CLONE_NEWNET)
_PATIENCE_S = 5.0
_MOST_BYTES = 1 << 24

Seen = dict[str, object]
"""What a visit saw: anything that JSON holds."""


def visit(pid: int, kind: tuple[str, int], look: Callable[[], tuple[Seen, int | None]]) -> tuple[Seen, int | None]:
    """Run `look` in a namespace of the process `pid`; what it saw, and a descriptor where it made one.

    The caller stays where it is. Raises OSError where the namespace can't be entered or the child said nothing.
    """
    target = os.open(f"/proc/{pid}/ns/{kind[0]}", os.O_RDONLY | os.O_CLOEXEC)
    ours, theirs = socket.socketpair()
    try:
        child = os.fork()
        if child == 0:
            _child(theirs, target, kind[1], look)
    finally:
        os.close(target)
        theirs.close()
    try:
        ours.settimeout(_PATIENCE_S)
        return _receive(ours)
    except OSError:
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)  # ours, and not yet waited for: the number can't be another's
        raise
    finally:
        ours.close()
        os.waitpid(child, 0)


def why_not(error: Exception) -> str:
    """Why a namespace was not entered, in words: mostly the process that stands in it has ended since it was listed."""
    if isinstance(error, FileNotFoundError | ProcessLookupError):
        return "ended meanwhile"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _child(out: socket.socket, target: int, kind: int, look: Callable[[], tuple[Seen, int | None]]) -> None:
    """Never returns: nothing of the parent's may run twice."""
    try:
        setns(target, kind)
        seen, fd = look()
        _send(out, {"seen": seen}, fd)
    except OSError as error:
        _send(out, {"errno": error.errno or errno.EIO}, None)
    except BaseException as error:
        _send(out, {"error": f"{type(error).__name__}: {error}"}, None)
    finally:
        os._exit(0)


def _send(out: socket.socket, told: Seen, fd: int | None) -> None:
    with suppress(OSError):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        out.sendmsg([b"\n"], rights)
        out.sendall(json.dumps(told).encode())


def _receive(ours: socket.socket) -> tuple[Seen, int | None]:
    first, fds, _, _ = socket.recv_fds(ours, 1, 4)
    data = bytearray()
    while first and len(data) < _MOST_BYTES and (part := ours.recv(1 << 16)):
        data += part
    told = json.loads(data) if data else {}
    seen, code = told.get("seen"), told.get("errno")
    if isinstance(seen, dict):
        return seen, fds[0] if fds else None
    for fd in fds:
        os.close(fd)
    if isinstance(code, int):
        raise OSError(code, os.strerror(code))
    raise OSError(errno.EIO, str(told.get("error", "it said nothing")))
