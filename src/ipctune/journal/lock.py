"""One tuner at a time: a lock on the state folder that ends with its holder."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ipctune.errors import NotPossible
from ipctune.host.state import State

__all__ = ["holder", "locked"]

_NAME = "lock"


def holder(state: State) -> int | None:
    """The pid of whoever holds the lock, or None."""
    path = state.path / _NAME
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
def locked(state: State, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock. Raises NotPossible with the holder's pid where it is taken, unless `wait`."""
    fd = _open(state)
    try:
        _take(fd, wait)
        with suppress(OSError):  # a full or read-only disk costs others our pid, and must not keep us from restoring
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _open(state: State) -> int:
    path = state.path / _NAME
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


def _take(fd: int, wait: bool) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                pid = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise NotPossible(f"another ipctune is at work (pid {pid})", hint="--wait waits for its end") from None
            time.sleep(0.2)
        else:
            return
