"""Running the core in tests, and looking for what it may have left behind."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MECHANISMS = (
    "pipe",
    "fifo",
    "unix-stream",
    "unix-abstract",
    "unix-path",
    "unix-dgram",
    "unix-seqpacket",
    "tcp",
    "udp",
    "sysv-msg",
    "posix-mq",
    "memfd-futex",
    "memfd-eventfd",
)
PATTERNS = ("ping-pong", "stream")
PATIENCE_S = 20.0
BYTE_STREAMS = ("pipe", "fifo", "unix-stream", "unix-abstract", "unix-path", "tcp")
DATAGRAMS = ("unix-dgram", "unix-seqpacket", "udp")
QUEUES = ("sysv-msg", "posix-mq")
IN_FILES = ("fifo", "unix-path")
"""Those that have names in a file system for a moment."""
WAITS = {
    **dict.fromkeys((*BYTE_STREAMS, *DATAGRAMS, "posix-mq"), ("block", "retry", "poll", "epoll")),
    "sysv-msg": ("block", "retry"),
}
LARGEST_DATAGRAM = 65507
"""Bytes in one of UDP over IPv4."""


def pattern_words(mechanism: str, pattern: str) -> tuple[str, ...]:
    """The pattern as fast as it goes; at a rate where that would lose messages."""
    gentle = ("--rate", "500") if (mechanism, pattern) == ("udp", "stream") else ()
    return ("--pattern", pattern, *gentle)


def room_words(mechanism: str, size: int) -> tuple[str, ...]:
    """What a queue needs to take messages of that size; limits of the private namespace."""
    if mechanism not in QUEUES or size <= 8192:
        return ()
    names = ("kernel.msgmax", "kernel.msgmnb", "fs.mqueue.msgsize_max")
    values = (size, 2 * size, size)
    raised = [word for name, value in zip(names, values, strict=True) for word in ("--sysctl", f"{name}={value}")]
    return (*raised, "--capacity", str(2 * size))


@dataclass(frozen=True, slots=True)
class Answer:
    """Exit status and the one JSON object."""

    status: int
    data: dict[str, Any]

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.data["error"]
        return found


@dataclass(frozen=True, slots=True)
class Core:
    """A copy of the executable that nobody else runs."""

    path: Path

    def call(self, *arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Answer:
        """Run to the end; the answer must be one line of JSON and nothing else."""
        done = subprocess.run(
            [*prefix, str(self.path), *arguments],
            capture_output=True,
            timeout=PATIENCE_S,
            env={**os.environ, **environment},
            check=False,
        )
        assert done.stderr == b""
        text = done.stdout.decode("ascii")
        assert text.count("\n") == 1
        assert text.endswith("\n")
        return Answer(done.returncode, json.loads(text, parse_constant=_refuse))

    def run(self, mechanism: str, *arguments: str, seconds: float = 0.01, **environment: str) -> Answer:
        """One short block."""
        words = ("run", "--mechanism", mechanism, "--seconds", str(seconds), *arguments)
        return self.call(*words, prefix=(), **environment)

    def start(self, mechanism: str, *arguments: str) -> subprocess.Popen[bytes]:
        """One block so long that it has to be ended."""
        words = ("run", "--mechanism", mechanism, "--seconds", "60", *arguments)
        return subprocess.Popen([str(self.path), *words], stdout=subprocess.PIPE, start_new_session=True)

    def processes(self) -> list[int]:
        """Living processes of this copy."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if self._is_ours(entry)]

    def error_in(self, output: bytes) -> dict[str, Any]:
        """The error of a block that `start` began."""
        found: dict[str, Any] = json.loads(output)["error"]
        return found

    def _is_ours(self, entry: Path) -> bool:
        try:
            return entry.name.isdigit() and (entry / "exe").readlink() == self.path
        except OSError:
            return False


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def wait_for(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true while we have patience."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def parent(pid: int) -> int:
    """The parent of a process (proc_pid_stat(5), after the name, which may hold anything)."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def children(core: Core, supervisor: int) -> list[int]:
    """Children of the supervisor, in the order of their start."""
    found = []
    for pid in core.processes():
        try:
            if parent(pid) == supervisor:
                found.append(pid)
        except OSError:
            continue
    return sorted(found)


def sysv_queues() -> set[str]:
    """Ids of the System V queues of this IPC namespace."""
    lines = Path("/proc/sysvipc/msg").read_text(encoding="ascii").splitlines()[1:]
    return {line.split()[1] for line in lines}


def posix_queues() -> set[str]:
    """Names of our POSIX queues in this IPC namespace, through a mount that ends with the looking."""
    script = "mount -t mqueue none /mnt && ls /mnt"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split() if name.startswith("ipctune-")}
