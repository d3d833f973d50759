"""The few system calls that Python 3.11 has no name for. Each raises OSError; NotImplementedError without ctypes."""

import os
from dataclasses import dataclass
from typing import Any

from ipctune.errors import NotPossible

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "Queue",
    "mount",
    "mq_limits",
    "pidfd_getfd",
    "queue",
    "remove_array",
    "set_queue_bytes",
    "setns",
    "unshare",
]

# include/uapi/linux/sched.h, mount.h, ipc.h; the number of pidfd_getfd is the same on every architecture.
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x00020000, 0x08000000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_IPC_RMID, _IPC_SET, _IPC_STAT = 0, 1, 2
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


@dataclass(frozen=True, slots=True)
class Queue:
    """A System V queue: its key, creator, when it was changed last (s since the epoch), and its limit in bytes."""

    key: int
    creator: int
    changed: int
    bytes: int


def queue(msqid: int) -> Queue:
    """What the kernel says of the queue in the present IPC namespace (msgctl(2), IPC_STAT)."""
    held = _stat(msqid)
    return Queue(held.key & 0xFFFFFFFF, held.cuid, held.ctime, held.qbytes)


def set_queue_bytes(msqid: int, most: int) -> None:
    """Set its limit (msgctl(2), IPC_SET); owner and mode stay. More than kernel.msgmnb takes CAP_SYS_RESOURCE."""
    held = _stat(msqid)
    held.qbytes = most
    _checked(_libc().msgctl(msqid, _IPC_SET, held.reference()))


def _stat(msqid: int) -> Any:
    """struct msqid64_ds (include/uapi/asm-generic/{msgbuf,ipcbuf}.h), as 64-bit kernels have it."""
    import ctypes

    if ctypes.sizeof(ctypes.c_long) != 8:
        raise NotPossible("queues are read on 64-bit kernels alone")
    words, wide, number = ctypes.c_uint, ctypes.c_ulong, ctypes.c_long

    class Held(ctypes.Structure):
        _fields_ = (
            *((name, words) for name in ("key", "uid", "gid", "cuid", "cgid", "mode")),
            ("seq", ctypes.c_ushort),
            ("pad", ctypes.c_ushort * 3),
            ("unused", wide * 2),
            *((name, number) for name in ("stime", "rtime", "ctime")),
            *((name, wide) for name in ("cbytes", "qnum", "qbytes")),
            ("pids", ctypes.c_int * 2),
            ("more", wide * 2),
        )

        def reference(self) -> Any:
            return ctypes.byref(self)

    held = Held()
    _checked(_libc().msgctl(msqid, _IPC_STAT, held.reference()))
    return held


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
