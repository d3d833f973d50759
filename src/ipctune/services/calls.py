"""The few system calls that Python 3.11 has no name for. Each raises OSError; NotImplementedError without ctypes."""

import os
from typing import Any

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "mount",
    "mq_limits",
    "pidfd_getfd",
    "remove_array",
    "setns",
    "unshare",
]

# include/uapi/linux/sched.h, mount.h, ipc.h; the number of pidfd_getfd is the same on every architecture.
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x00020000, 0x08000000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_IPC_RMID = 0
_PIDFD_GETFD = 438


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind `fd` (setns(2))."""
    _checked(_libc().setns(fd, kind))


def unshare(kind: int) -> None:
    """Leave for a new namespace (unshare(2))."""
    _checked(_libc().unshare(kind))


def mount(kind: str, where: str) -> None:
    """Mount an unnamed file system at `where`, in a mount namespace that nobody else sees (unshare first)."""
    libc = _libc()
    _checked(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _checked(libc.mount(kind.encode(), where.encode(), kind.encode(), 0, None))


def pidfd_getfd(pid: int, fd: int) -> int:
    """A duplicate of another process's descriptor (pidfd_getfd(2), since 5.6)."""
    if not hasattr(os, "pidfd_open"):
        raise NotImplementedError("this Python has no pidfd_open")
    pidfd = os.pidfd_open(pid)
    try:
        return _checked(_libc().syscall(_PIDFD_GETFD, pidfd, fd, 0))
    finally:
        os.close(pidfd)


def mq_limits(fd: int) -> tuple[int, int, int]:
    """Most messages, bytes a message and messages now of an open POSIX queue (mq_getattr(3))."""
    import ctypes

    held = (ctypes.c_long * 8)()  # struct mq_attr: flags, maxmsg, msgsize, curmsgs, four reserved
    libc = _libc()
    call = getattr(libc, "mq_getattr", None) or getattr(ctypes.CDLL("librt.so.1", use_errno=True), "mq_getattr")  # noqa: B009
    _checked(call(fd, held))
    return int(held[1]), int(held[2]), int(held[3])


def remove_array(semid: int) -> None:
    """Remove a System V semaphore array (semctl(2), IPC_RMID), as `ipcrm -s` does."""
    _checked(_libc().semctl(semid, 0, _IPC_RMID))


def _libc() -> Any:
    try:
        import ctypes
    except ImportError as error:
        raise NotImplementedError("this Python has no ctypes") from error
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        import ctypes

        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
