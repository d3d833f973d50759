"""A stand-in for a service: pipes, a Unix and a TCP socket and a System V queue, in namespaces of its own or not.

Run as a program it makes them, says what they are as a line of JSON, then does what its standard input says.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ipctune.host.calls import queue, set_queue_bytes

__all__ = ["LOW", "Target", "a_target"]

TOP = Path(__file__).parents[2]
LOW = 8192
"""The queue's limit at the start: below kernel.msgmnb, so that it can be raised without CAP_SYS_RESOURCE."""
_C = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Target:
    """The running stand-in: its pid, and that of what unshare(1) made of it."""

    pid: int
    process: "subprocess.Popen[str]"

    def ask(self, what: str) -> dict[str, Any]:
        """Have it do something, and tell what it has then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.write(self.process.stdin.fileno(), f"{what}\n".encode())  # unbuffered: it may be dead when it is closed
        return dict(json.loads(self.process.stdout.readline()))


@contextmanager
def a_target(*, own_spaces: bool = True) -> Iterator[Target]:
    """Run one; it and what it started have ended when the context does."""
    enter = ["unshare", "--ipc", "--net"] if own_spaces else []
    variables = {**os.environ, "PYTHONPATH": f"{TOP / 'src'}:{TOP}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*enter, sys.executable, "-m", "tests.host.target"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables, start_new_session=True
    ) as process:
        try:
            found = Target(process.pid, process)
            found.ask("look")
            yield found
            with suppress(OSError, ValueError):
                found.ask("end")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _connected(address: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.setblocking(False)
    made.connect(address)
    return made


class _Message(ctypes.Structure):
    _fields_ = (("type", ctypes.c_long), ("text", ctypes.c_char * 8))


class _Stand:
    """What the stand-in has."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.near, self.far = socket.socketpair()
        self.tcp = socket.socket()
        self.queue = _C.msgget(0x1BC9, 0o1600)
        set_queue_bytes(self.queue, LOW)
        message = _Message(1, b"x")
        _C.msgsnd(self.queue, ctypes.byref(message), 8, 0)

    def look(self) -> dict[str, Any]:
        return {
            "pipe": fcntl.fcntl(self.reader, fcntl.F_GETPIPE_SZ) if self.reader >= 0 else None,
            "inode": os.fstat(self.reader).st_ino if self.reader >= 0 else None,
            "socket": self.near.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
            "tcp": self.tcp.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
            "queue": queue(self.queue).bytes,
            "msgmni": Path("/proc/sys/kernel/msgmni").read_text().strip(),
            "somaxconn": Path("/proc/sys/net/core/somaxconn").read_text().strip(),
        }

    def do(self, words: list[str], out: IO[str]) -> None:
        match words:
            case ["resize", size]:
                fcntl.fcntl(self.reader, fcntl.F_SETPIPE_SZ, int(size))
            case ["fill", size]:
                os.write(self.writer, b"x" * int(size))
            case ["drain", size]:
                os.read(self.reader, int(size))
            case ["listen", backlog]:
                self.listener = socket.socket(socket.AF_UNIX)
                self.listener.bind("\0test-target")
                self.listener.listen(int(backlog))
                self.waiting = [_connected("\0test-target") for _ in range(9)]
            case ["close"]:
                os.close(self.reader)
                os.close(self.writer)
                self.reader = self.writer = -1
            case ["fork"]:
                _, wait = os.pipe2(0)
                child = os.fork()
                if not child:
                    sys.stdin.close()
                    signal.pause()
                os.close(wait)
                print(json.dumps({"child": child}), file=out, flush=True)
                return
            case ["end"]:
                _C.msgctl(self.queue, 0, None)
                print("{}", file=out, flush=True)
                return
        print(json.dumps(self.look()), file=out, flush=True)


if __name__ == "__main__":
    stand = _Stand()
    for line in sys.stdin:
        stand.do(line.split(), sys.stdout)
        if line.strip() == "end":
            break
