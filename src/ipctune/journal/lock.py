"""Locks of the state folder that end with their holder: one for whoever sets something, one for whoever measures.

They are two, so that a measurement that sets nothing holds up neither a deadline nor `revert`.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.host.state import State

__all__ = ["MEASURING", "SETTING", "holder", "locked", "measuring"]

SETTING, MEASURING = "lock", "measuring"
"""The files that are locked."""
_WAIT = "--wait waits for its end"


def holder(state: State, name: str = SETTING) -> int | None:
    """The pid of whoever holds the lock, or None."""
    path = state.path / name
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(fd, 20, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(fd)


@contextmanager
def locked(state: State, *, wait: bool = False, can_wait: bool = False, name: str = SETTING) -> Iterator[None]:
    """Hold the lock. Raises NotPossible with the holder's pid where it is taken, unless `wait`.

    `can_wait`: the command has --wait, and the hint may name it.
    """
    fd = _open(state.path / name)
    try:
        _take(fd, wait, can_wait)
        with suppress(OSError):  # a full or read-only disk costs others our pid, and must not keep us from restoring
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


@contextmanager
def measuring(state: State, *, wait: bool = False, can_wait: bool = False) -> Iterator[None]:
    """Be the only one who measures: two measurements at once measure each other. Taken before `locked`."""
    with locked(state, wait=wait, can_wait=can_wait, name=MEASURING):
        yield


def _open(path: Path) -> int:
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            return os.open(path, os.O_RDONLY | flags)  # a lock can be taken all the same
    except OSError as error:
        raise NotPossible(
            f"{path} can't be opened: {error.strerror}", hint="look at the state folder, or set IPCTUNE_STATE"
        ) from error


def _take(fd: int, wait: bool, can_wait: bool) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                hint = f"Ctrl-C there ends it, or: kill {pid} (what it tried goes back)"
                hint = f"{_WAIT}; {hint}" if can_wait else hint
                raise NotPossible(f"another ipctune is at work (pid {pid})", hint=hint) from None
            time.sleep(0.2)
        else:
            return
