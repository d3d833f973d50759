"""The process between us and a real server: starts it, runs its clients, and leaves nothing behind.

It is the reaper of everything that server and clients start, and the owner of the data folder. When its standard input
closes, because the tuner is done or has died in whatever way, it stops the server as that server wants to be stopped,
ends what is left, removes the folder and goes. Requests and answers are lines of JSON.
"""

import ctypes
import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pwd import getpwnam
from typing import Any

from ipctune.workload import folder, tree
from ipctune.workload.client import Aim, Driver, WrongAnswer
from ipctune.workload.cost import Counters

__all__ = ["Order", "main"]

_PDEATHSIG, _TIMERSLACK = 1, 29  # linux/prctl.h
_MOST_OUTPUT = 1 << 20
_STOPPING = 5.0  # seconds that a server has to stop by itself


@dataclass(frozen=True, slots=True)
class Order:
    """A program to start: its words, who it runs as (None: as we do), its environment, seconds that it may take."""

    argv: tuple[str, ...]
    user: str | None
    environment: Mapping[str, str]
    timeout: float = 0.0
    stop: int = signal.SIGTERM


class _GoneError(Exception):
    """The tuner is gone, or wants us to go."""


class _Keeper:
    """The folder, and the servers that run."""

    def __init__(self, name: str, user: str | None) -> None:
        folder.sweep()
        self.home = folder.make(name, user)
        self._data = self.home / "data"
        self._servers: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "serve": self.serve,
            "alive": self.alive,
            "run": self.run,
            "drive": self.drive,
            "pause": self.pause,
        }

    def serve(self, said: dict[str, Any]) -> dict[str, Any]:
        """Start a server; what it prints goes to the end of the file `log`."""
        order = Order(**said)
        with (self.home / "log").open("ab") as log:
            server = self._started(order, log.fileno(), order.stop)
        self._servers.append((server, signal.Signals(order.stop)))
        return {"pid": server.pid}

    def alive(self, _said: dict[str, Any]) -> dict[str, Any]:
        """Whether the last server runs, and the end of what all have printed."""
        running = bool(self._servers) and self._servers[-1][0].poll() is None
        with suppress(OSError):
            return {"alive": running, "log": (self.home / "log").read_text(errors="replace")[-2000:]}
        return {"alive": running, "log": ""}

    def run(self, said: dict[str, Any]) -> dict[str, Any]:
        """Run a client to its end: wait status, output, costs."""
        order = Order(**said)
        before = Counters()
        process = self._started(order, subprocess.PIPE, signal.SIGKILL)
        output, late = _output_of(process, order.timeout)
        status = process.wait()
        return {"status": status, "late": late, "output": output, "cost": asdict(before.cost())}

    def drive(self, said: dict[str, Any]) -> dict[str, Any]:
        """Be the open-loop client."""
        driver = Driver(Aim(**{**said, "address": _address(said["address"])}))
        try:
            driver.start()
            before = Counters()
            ready, _, _ = select.select([0, driver.ended], [], [])
            if 0 in ready:
                raise _GoneError
            cost = asdict(before.cost())
        except WrongAnswer as error:
            return {"error": str(error)}
        finally:
            driver.close()
        return {"buckets": driver.buckets(), "cost": cost, **({"error": driver.error} if driver.error else {})}

    def pause(self, said: dict[str, Any]) -> dict[str, Any]:
        """Stop a server and its processes (its group), or let them go on."""
        if any(server.pid == said["pid"] and server.poll() is None for server, _ in self._servers):
            os.killpg(said["pid"], signal.SIGSTOP if said["on"] else signal.SIGCONT)
        return {}

    def close(self) -> None:
        """Stop the servers, the last one first; end what is left; remove the folder."""
        for server, stop in reversed(self._servers):
            if server.poll() is None:
                os.killpg(server.pid, stop)
                os.killpg(server.pid, signal.SIGCONT)
                with suppress(subprocess.TimeoutExpired):
                    server.wait(_STOPPING)
        tree.end()
        folder.remove(self.home)

    def _started(self, order: Order, output: int, death: int) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        return subprocess.Popen(
            order.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._data,
            env={"HOME": str(self._data), "TMPDIR": str(self._data), **order.environment},
            start_new_session=True,
            preexec_fn=lambda: _in_child(order.user, parent, death),  # noqa: PLW1509 - no thread runs then
        )


def _in_child(user: str | None, parent: int, death: int) -> None:
    """Become `user`; end with our parent; sleep precisely. In this order: a change of user forgets the second."""
    if user is not None:
        entry = getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    libc = ctypes.CDLL(None)
    libc.prctl(_PDEATHSIG, ctypes.c_ulong(death), 0, 0, 0)
    libc.prctl(_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if os.getppid() != parent:
        os._exit(1)


def _output_of(process: subprocess.Popen[bytes], timeout: float) -> tuple[str, bool]:
    """What it printed, the end of it, until it closes its output; ended where that takes too long."""
    assert process.stdout is not None
    deadline, output = time.monotonic() + timeout, b""
    with process.stdout as pipe:
        while True:
            ready, _, _ = select.select([0, pipe.fileno()], [], [], max(0.0, deadline - time.monotonic()))
            if 0 in ready:
                raise _GoneError
            if not ready:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return output.decode(errors="replace"), True
            chunk = os.read(pipe.fileno(), 1 << 16)
            if not chunk:
                return output.decode(errors="replace"), False
            output = (output + chunk)[-_MOST_OUTPUT:]


def _address(said: Any) -> str | tuple[str, int]:
    return said if isinstance(said, str) else (said[0], said[1])


def main() -> None:
    """Serve requests until there are no more. The first says the name of the workload and who its data belongs to."""
    gc.disable()
    tree.become_reaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # Not buffered: select(2) has to see what was not read yet.
    orders, keeper = open(0, "rb", buffering=0, closefd=False), None  # noqa: SIM115
    try:
        keeper = _Keeper(**json.loads(orders.readline() or b"{}"))
        _say({"folder": str(keeper.home)})
        while line := orders.readline():
            _answer(keeper, line)
    except (_GoneError, BrokenPipeError):
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if keeper is not None:
            keeper.close()


def _answer(keeper: _Keeper, line: bytes) -> None:
    ((verb, said),) = json.loads(line).items()
    try:
        _say(keeper.answers[verb](said))
    except (OSError, subprocess.SubprocessError) as error:
        _say({"error": str(error)})


def _leave(_number: int, _frame: object) -> None:
    raise _GoneError


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
