"""Provokes real errors of IPC, one a name: prints the line that a program logs, and holds the state until told to end.

Run by `private.py`, in namespaces of its own. The words around an error are those of the programs that log it; the
error's own text is what the kernel and the C library gave.
"""

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import resource
import socket
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PRIVATE, _NOWAIT, _RMID, _SETVAL = 0, 0o4000, 0, 16
_USER = 54321
_kept: list[object] = []


def _failing(call: Callable[[], int], most: int) -> str:
    """The text of the error that `call` ends with, after up to `most` times."""
    for _ in range(most):
        if call() < 0:
            return os.strerror(ctypes.get_errno())
    raise AssertionError("it never failed")


def _set(name: str, value: str) -> None:
    Path("/proc/sys", name).write_text(value)


def _small_shm(pages: int) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * 4}k", "tmpfs", "/dev/shm"], check=True)


def _loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, 0x8914, struct.pack("16sh14x", b"lo", 1 | 0x40))  # SIOCSIFFLAGS: up and running


def semget_enospc() -> str:
    """Three arrays are allowed, and the fourth asked for."""
    _set("kernel/sem", "32000 1024000000 500 3")
    text = _failing(lambda: _libc.semget(_PRIVATE, 17, 0o600), 4)
    return f"FATAL:  could not create semaphores: {text}\nDETAIL:  Failed system call was semget(5432017, 17, 03600)."


def semlock_enospc() -> str:
    """A /dev/shm of one page, which is taken."""
    import multiprocessing

    _small_shm(1)
    Path("/dev/shm/taken").write_bytes(b"x" * 4096)
    try:
        multiprocessing.Semaphore(1)
    except OSError:
        return traceback.format_exc()
    raise AssertionError("it did not fail")


def shm_resize() -> str:
    """What postgres does for a parallel query, with its words."""
    _small_shm(16)
    fd = os.open("/dev/shm/PostgreSQL.3", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.posix_fallocate(fd, 0, 8388608)
    except OSError as error:
        os.posix_fallocate(fd, 0, 60 << 10)
        text = error.strerror
        return f'ERROR:  could not resize shared memory segment "/PostgreSQL.3" to 8388608 bytes: {text}'
    raise AssertionError("it did not fail")


def bus_error() -> str:
    """The line is the shell's own."""
    _small_shm(16)
    code = (
        "import mmap, os; fd = os.open('/dev/shm/a', os.O_CREAT | os.O_RDWR); os.ftruncate(fd, 1 << 20)\n"
        "held = mmap.mmap(fd, 1 << 20)\nfor at in range(0, 1 << 20, 4096): held[at] = 1"
    )
    done = subprocess.run(
        ["sh", "-c", 'ulimit -c 0; "$0" -c "$1"; true', sys.executable, code], stderr=subprocess.PIPE, check=False
    )
    return done.stderr.decode()


def unix_connect_eagain(path: str) -> str:
    """A listener that never accepts."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    _kept.append(listener)
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        _kept.append(client)
        try:
            client.connect(path)
        except BlockingIOError as error:
            return f"connect() to unix:{path} failed ({error.errno}: {error.strerror}) while connecting to upstream"
    raise AssertionError("it never failed")


def address_not_available() -> str:
    """Ten local ports, and eleven connections to one listener."""
    _loopback()
    _set("net/ipv4/ip_local_port_range", "40000 40009")
    listener = socket.create_server(("127.0.0.1", 8080), backlog=64)
    _kept.append(listener)
    for _ in range(11):
        client = socket.socket()
        _kept.append(client)
        try:
            client.connect(("127.0.0.1", 8080))
        except OSError as error:
            return f"connect() to 127.0.0.1:8080 failed ({error.errno}: {error.strerror}) while connecting to upstream"
    raise AssertionError("it never failed")


def mq_open_emfile() -> str:
    """Default queues of a user with the default limit, until one is refused."""
    resource.setrlimit(resource.RLIMIT_MSGQUEUE if hasattr(resource, "RLIMIT_MSGQUEUE") else 12, (819200, 819200))
    os.setuid(_USER)
    names = iter(range(100))
    opened = lambda: _mq_open(f"/ipctune-{next(names)}")  # noqa: E731
    return f"mq_open: {_failing(opened, 12)}"


def _mq_open(name: str) -> int:
    call = getattr(_libc, "mq_open", None) or ctypes.CDLL("librt.so.1", use_errno=True).mq_open
    return int(call(name.encode(), os.O_CREAT | os.O_RDWR, 0o600, None))


def shmget_einval() -> str:
    """A segment of two pages where one is the most."""
    _set("kernel/shmmax", "4096")
    text = _failing(lambda: _libc.shmget(_PRIVATE, 8192, 0o600), 1)
    return (
        f"could not create shared memory segment: {text}. Failed system call was shmget(key=5432001, size=8192, 03600)."
    )


def shmget_enospc() -> str:
    """Two segments are allowed, and the third asked for."""
    _set("kernel/shmmni", "2")
    text = _failing(lambda: _libc.shmget(_PRIVATE, 4096, 0o600), 3)
    return f"could not create shared memory segment: {text}. Failed system call was shmget(5432001, 4096, 03600)."


def msgsnd_eagain() -> str:
    """Messages into a queue that nobody reads."""
    queue = _libc.msgget(_PRIVATE, 0o600)
    message = struct.pack("=q", 1) + b"x" * 1024
    return f"msgsnd: {_failing(lambda: _libc.msgsnd(queue, message, 1024, _NOWAIT), 100)}"


def redis_backlog() -> str:
    """What redis reads, compares and logs before it listens (checkTcpBacklogSettings)."""
    _loopback()
    _set("net/core/somaxconn", "128")
    now = int(Path("/proc/sys/net/core/somaxconn").read_text())
    listener = socket.create_server(("127.0.0.1", 6379), backlog=511)
    _kept.append(listener)
    return (
        "# WARNING: The TCP backlog setting of 511 cannot be enforced because /proc/sys/net/core/somaxconn is set "
        f"to the lower value of {now}."
    )


def setpipe_eperm() -> str:
    """More full-size pipes than a user without privileges may have, then a larger one."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    os.setuid(_USER)
    for _ in range(1030):
        _kept.append(os.pipe())
    reading, _ = os.pipe()
    try:
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 1 << 20)
    except PermissionError as error:
        return f"fcntl(F_SETPIPE_SZ): {error.strerror}"
    raise AssertionError("it did not fail")


def ipc_removed() -> str:
    """What logind does at the last logout, and what postgres then says."""
    array = _libc.semget(_PRIVATE, 4, 0o600)
    _libc.semctl(array, 0, _RMID)
    text = _failing(lambda: _libc.semctl(array, 3, _SETVAL, 0), 1)
    return f"LOG:  semctl({array}, 3, SETVAL, 0) failed: {text}"


def datagrams(path: str) -> str:
    """A receiver that reads nothing, until the sender is told to wait."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(path)
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    _kept.extend((receiver, sender))
    with contextlib.suppress(BlockingIOError):
        for _ in range(100_000):
            sender.sendto(b"x", path)
    return "sendto(/dev/log): Resource temporarily unavailable"


def hold(*paths: str) -> str:
    """The first file open, the second mapped alone, the third's descriptor on its way between two sockets."""
    opened, mapped, sent = paths
    _kept.append(os.open(opened, os.O_RDWR))
    fd = os.open(mapped, os.O_RDWR)
    _kept.append(mmap.mmap(fd, 4096))
    os.close(fd)
    ours, theirs = socket.socketpair()
    fd = os.open(sent, os.O_RDWR)
    socket.send_fds(ours, [b"x"], [fd])
    os.close(fd)
    _kept.extend((ours, theirs))
    return "held"


def talk(path: str) -> str:
    """A child that talks to us over a pipe, a Unix connection and loopback TCP."""
    _loopback()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4)
    server = socket.create_server(("127.0.0.1", 7000))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _speak(path, writing, (listener, server), reading)
    os.close(writing)
    os.read(reading, 1)
    _kept.extend((listener, server, listener.accept(), server.accept()))
    return str(child)


def _speak(path: str, writing: int, not_ours: tuple[socket.socket, ...], reading: int) -> None:
    for end in not_ours:
        end.close()
    os.close(reading)
    unix, tcp = socket.socket(socket.AF_UNIX), socket.socket()
    unix.connect(path)
    tcp.connect(("127.0.0.1", 7000))
    os.write(writing, b"x")
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])), flush=True)
    sys.stdin.read()
