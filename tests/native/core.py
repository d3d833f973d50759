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
    "unix-stream",
    "unix-abstract",
    "tcp",
    "sysv-msg",
    "posix-mq",
    "memfd-futex",
    "memfd-eventfd",
    "vmsplice",
    "splice",
    "tee",
    "sendfile",
    "copy-file-range",
    "tcp-zerocopy",
    "io-uring",
    "memfd-spin",
    "memfd-spin-futex",
    "memfd-mutex-cond",
    "memfd-signal",
    "sysv-shm-futex",
    "sysv-shm-sem",
    "sysv-shm-posix-sem",
    "process-vm-readv",
)
RINGS = tuple(name for name in MECHANISMS if name.startswith(("memfd-", "sysv-shm-")))
PATTERNS = ("ping-pong", "stream")
RINGS = ("memfd-futex", "memfd-eventfd")
PATIENCE_S = 20.0


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


def sysv_queues() -> set[str]:
    """Ids of the System V queues of this IPC namespace."""
    return sysv_objects("msg")


def sysv_objects(kind: str) -> set[str]:
    """Ids of the `msg`, `sem` or `shm` objects of this IPC namespace."""
    lines = Path("/proc/sysvipc", kind).read_text(encoding="ascii").splitlines()[1:]
    return {line.split()[1] for line in lines}


def posix_queues() -> set[str]:
    """Names of our POSIX queues in this IPC namespace, through a mount that ends with the looking."""
    script = "mount -t mqueue none /mnt && ls /mnt"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split() if name.startswith("ipctune-")}
