"""A real server of our own for the time of a run, and its clients: started, asked, ended without a trace.

The work is done by a process between (`workload.keeper`), which ends all of it whichever way we end.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from pwd import getpwnam
from typing import Any, Self

import ipctune
from ipctune.errors import IpctuneError, NotPossible, WorkloadFailed
from ipctune.workload.client import Address, Aim
from ipctune.workload.cost import Cost
from ipctune.workload.output import last_lines

__all__ = ["Driven", "Run", "Server", "accepts", "free_port", "program", "unprivileged"]

_START = "import sys; sys.path.insert(0, {lib!r}); from ipctune.workload.keeper import main; main()"
_MORE = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
_LONGEST_PATH = 107  # sun_path of unix(7), less the zero at its end
_READY = 20.0
_ENDING = 30.0  # seconds for the keeper to end everything
_CLEAN = {"PATH": ":".join(_MORE), "LANG": "C", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a client printed, and what the run cost, server and client together."""

    output: str
    cost: Cost


@dataclass(frozen=True, slots=True)
class Driven:
    """Latencies of an open-loop block (lowest ns and count), and what it cost."""

    buckets: tuple[tuple[int, int], ...]
    cost: Cost


def program(name: str, debian: str, fedora: str, where: Sequence[str] = ()) -> str:
    """The path of a program. Raises NotPossible with the command that installs it."""
    path = os.pathsep.join((*where, os.environ.get("PATH", ""), *_MORE))
    found = shutil.which(name, path=path)
    if found is None:
        raise NotPossible(
            f"{name} is not installed",
            hint=f"as root: apt-get install --no-install-recommends {debian} (dnf install {fedora}); "
            "on Debian that starts the package's own service, which ipctune neither needs nor touches",
        )
    return found


def unprivileged(*names: str) -> str | None:
    """The first of these users that there is, then `nobody`, for a root that should not run a server; else None."""
    if os.geteuid() != 0:
        return None
    for name in (*names, "nobody"):
        with suppress(KeyError):
            return getpwnam(name).pw_name
    raise NotPossible("there is no user `nobody` to run the server as")


def free_port() -> int:
    """A TCP port of the loopback address that nobody has now. Somebody may have it by the time it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(address: Address) -> bool:
    """Whether somebody accepts connections there."""
    unix = isinstance(address, str)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
        probe.settimeout(1.0)
        with suppress(OSError):
            probe.connect(address)
            return True
    return False


class Server:
    """Who looks after one server. Use it as a context manager; `folder` is the server's own, and its working one."""

    def __init__(self, name: str, user: str | None, environment: Mapping[str, str] | None = None) -> None:
        self._name, self._user = name, user
        self._environment = dict(_CLEAN if environment is None else environment)
        self._keeper: subprocess.Popen[bytes] | None = None
        self.folder = Path()

    def __enter__(self) -> Self:
        lib = str(Path(ipctune.__file__).resolve().parents[1])
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START.format(lib=lib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.folder = Path(self._answer({"name": self._name, "user": self._user})["folder"], "data")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything and remove the folder; returns when that is done."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        with suppress(BrokenPipeError):
            keeper.stdin.close()
        try:
            keeper.wait(_ENDING)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
        keeper.stdout.close()

    def socket(self, name: str) -> str:
        """The path of a Unix socket in the folder. Raises NotPossible where it would be too long for one."""
        path = str(self.folder / name)
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise NotPossible(f"a Unix socket's path may have {_LONGEST_PATH} bytes: {path}", hint="set TMPDIR to /tmp")
        return path

    def write(self, name: str, text: str) -> None:
        """A file in the folder, which the server may read."""
        place = self.folder / name
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(text)

    def serve(
        self, argv: Sequence[str], ready: Callable[[], bool], *, stop: int = signal.SIGTERM, patience: float = _READY
    ) -> int:
        """Start a server, wait till it is ready, return its pid. `stop` is the signal that ends it without a trace."""
        pid: int = self._ask("serve", {**self._order(argv), "stop": int(stop)})["pid"]
        deadline = time.monotonic() + patience
        while not ready():
            said = self._ask("alive", {})
            if not said["alive"] or time.monotonic() > deadline:
                what = "is not ready" if said["alive"] else "has ended"
                raise WorkloadFailed(f"{self._name}: the server {what}", hint=last_lines(said["log"]))
            time.sleep(0.01)
        return pid

    def run(self, argv: Sequence[str], timeout: float) -> Run:
        """Run a client to its end. Raises WorkloadFailed where it fails or takes longer than `timeout` s."""
        said = self._ask("run", {**self._order(argv), "timeout": timeout})
        what = f"{self._name}: {Path(argv[0]).name}"
        if said["late"]:
            raise WorkloadFailed(f"{what} did not end within {timeout:.3g} s", hint=last_lines(said["output"]))
        if said["status"]:
            raise WorkloadFailed(f"{what} failed ({said['status']})", hint=last_lines(said["output"]))
        return Run(said["output"], Cost(**said["cost"]))

    def drive(self, aim: Aim) -> Driven:
        """Drive the server in open loop. Raises WorkloadFailed where it answers wrongly, late or not at all."""
        said = self._ask("drive", asdict(aim))
        cost = Cost(**said["cost"])
        if cost.seconds > 1.5 * aim.seconds + 0.5:
            raise WorkloadFailed(
                f"{self._name}: {aim.rate:,.0f} requests a second do not go through over {aim.connections} connections",
                hint="a lower --rate; what is measured above capacity is the length of the queue",
            )
        return Driven(tuple((low, count) for low, count in said["buckets"]), cost)

    def pause(self, pid: int, on: bool) -> None:
        """Stop a server of ours with its processes, or let them go on."""
        self._ask("pause", {"pid": pid, "on": on})

    def _order(self, argv: Sequence[str]) -> dict[str, Any]:
        return {"argv": list(argv), "user": self._user, "environment": self._environment}

    def _ask(self, verb: str, said: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._answer({verb: said})
        if "error" in answer:
            raise WorkloadFailed(f"{self._name}: {answer['error']}")
        return answer

    def _answer(self, order: Mapping[str, Any]) -> dict[str, Any]:
        keeper = self._keeper
        if keeper is None or keeper.stdin is None or keeper.stdout is None:
            raise IpctuneError(f"{self._name} is used outside of its `with`")
        line = b""
        with suppress(BrokenPipeError):
            keeper.stdin.write(json.dumps(order).encode() + b"\n")
            keeper.stdin.flush()
            line = keeper.stdout.readline()
        if not line:
            raise WorkloadFailed(f"{self._name}: the process that looks after the server has ended")
        found: dict[str, Any] = json.loads(line)
        return found
