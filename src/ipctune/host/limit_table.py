"""The limits on IPC that a kernel has: where each is read, its unit, whom it holds, and when it takes effect.

Upstream's defaults are those of the kernel's source: include/uapi/linux/{msg,sem,shm}.h,
ipc/mqueue.c, fs/pipe.c, net/core/sock.c, include/linux/socket.h.
"""

from dataclasses import dataclass

from ipctune.host.model import Scope

__all__ = ["RLIMITS", "SEM_FIELDS", "SYSCTLS", "Row"]

_HUGE = (1 << 64) - 1 - (1 << 24)


@dataclass(frozen=True, slots=True)
class Row:
    """One sysctl. `upstream` may depend on the version: pairs of (from this version on, default)."""

    name: str
    unit: str
    scope: Scope
    upstream: tuple[tuple[tuple[int, ...], int], ...] = ()
    effect: str = "at once"
    zero_is_unlimited: bool = False

    def default(self, version: tuple[int, ...]) -> int | None:
        """Upstream's default in that version; None where it has none that is one number."""
        return next((value for since, value in reversed(self.upstream) if version >= since), None)


def _always(value: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    return (((3, 19), value),)


_IPC: Scope = "ipc-namespace"
_NET: Scope = "network-namespace"
_MOST_BUFFER = (*_always(212992), ((6, 18), 4 << 20))
_SOCKETS = "sockets opened afterwards"

SYSCTLS: tuple[Row, ...] = (
    Row("kernel.shmmax", "bytes", _IPC, _always(_HUGE), "new segments"),
    Row("kernel.shmall", "pages", _IPC, _always(_HUGE), "new segments"),
    Row("kernel.shmmni", "segments", _IPC, _always(4096), "new segments"),
    Row("kernel.shm_rmid_forced", "flag", _IPC, _always(0)),
    Row("kernel.msgmax", "bytes", _IPC, _always(8192)),
    Row("kernel.msgmnb", "bytes", _IPC, _always(16384), "new queues"),
    Row("kernel.msgmni", "queues", _IPC, _always(32000), "new queues"),
    Row("fs.mqueue.msg_max", "messages", _IPC, _always(10), "new queues"),
    Row("fs.mqueue.msgsize_max", "bytes", _IPC, _always(8192), "new queues"),
    Row("fs.mqueue.queues_max", "queues", _IPC, _always(256), "new queues"),
    Row("fs.mqueue.msg_default", "messages", _IPC, _always(10), "new queues"),
    Row("fs.mqueue.msgsize_default", "bytes", _IPC, _always(8192), "new queues"),
    Row("fs.pipe-max-size", "bytes", "host", _always(1 << 20), "the next F_SETPIPE_SZ"),
    Row("fs.pipe-user-pages-soft", "pages", "user", _always(16384), "new pipes", True),
    Row("fs.pipe-user-pages-hard", "pages", "user", _always(0), "new pipes", True),
    Row("fs.file-max", "files", "host", (), "at once"),
    Row("fs.nr_open", "files", "host", _always(1 << 20), "new processes"),
    Row("net.core.rmem_default", "bytes", "host", _always(212992), _SOCKETS),
    Row("net.core.wmem_default", "bytes", "host", _always(212992), _SOCKETS),
    Row("net.core.rmem_max", "bytes", "host", _MOST_BUFFER, "the next SO_RCVBUF"),
    Row("net.core.wmem_max", "bytes", "host", _MOST_BUFFER, "the next SO_SNDBUF"),
    Row("net.core.somaxconn", "connections", _NET, (((3, 19), 128), ((5, 4), 4096)), "the next listen()"),
    Row("net.unix.max_dgram_qlen", "messages", _NET, _always(10), _SOCKETS),
)

SEM_FIELDS: tuple[tuple[str, str, int], ...] = (
    ("kernel.sem.semmsl", "semaphores an array", 32000),
    ("kernel.sem.semmns", "semaphores in all", 1024000000),
    ("kernel.sem.semopm", "operations a call", 500),
    ("kernel.sem.semmni", "arrays", 32000),
)

# Name, the line's title in /proc/PID/limits, unit.
RLIMITS: tuple[tuple[str, str, str], ...] = (
    ("RLIMIT_MEMLOCK", "Max locked memory", "bytes"),
    ("RLIMIT_MSGQUEUE", "Max msgqueue size", "bytes"),
    ("RLIMIT_NOFILE", "Max open files", "files"),
)
