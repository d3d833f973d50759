"""A workload of the user's own carried out: what its TOML file says (`workload.toml`)."""

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from pwd import getpwnam

from ipctune.errors import NotPossible, WorkloadFailed, WrongUse
from ipctune.host.text import printable
from ipctune.workload.cost import spoiled
from ipctune.workload.metric import NoMetric, reader
from ipctune.workload.model import Load, Metric, Sample
from ipctune.workload.served import Served
from ipctune.workload.server import Server, accepts, free_port
from ipctune.workload.toml import Plan, parse

__all__ = ["TomlWorkload", "load"]

_LARGEST_FILE = 1 << 20


def load(path: Path, rate: float | None = None) -> "TomlWorkload":
    """The workload of a file. `rate` takes the place of the file's rates. Raises WrongUse."""
    shown = printable(str(path))
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            raise WrongUse(f"{shown} is no workload file", hint="docs/workloads.md shows one")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{shown} can't be read: {error}") from None
    plan = replace(parse(text, shown), here=str(path.resolve().parent))
    if rate is not None:
        if "{rate}" not in plan.client:
            raise WrongUse(f"{shown}: its client takes no rate", hint="{rate} has to stand in client.command")
        plan = replace(plan, rates=(rate,))
    return TomlWorkload(plan)


class TomlWorkload(Served):
    """The plan carried out; commands are lines for /bin/sh -c, with the caller's environment."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(Server(plan.name, plan.user, os.environ))
        metric = Metric(plan.metric, not plan.lower_is_better)
        self.name = plan.name
        self.loads = tuple(_loads(plan, metric))
        self._plan = plan
        self._read = reader(plan.metric)
        self._port = 0

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One run of the client. Raises WorkloadFailed."""
        values = {
            "connections": load.connections,
            "rate": f"{load.rate:.9g}",
            "seconds": f"{seconds:.9g}",
            "seed": seed,
        }
        run = self._server.run(_shell(self._filled(self._plan.client, values)), self._plan.timeout)
        try:
            figure = self._read(run.output)
        except NoMetric as error:
            raise WorkloadFailed(f"{self.name}: the client {error}") from None
        return Sample(
            figure=figure,
            seconds=run.cost.seconds,
            messages=0,
            cpu_ns=run.cost.cpu_ns,
            poll_ns=run.cost.poll_ns,
            spoiled=spoiled(run.cost),
            halts=run.cost.halts,
        )

    def _find(self) -> None:
        _check_user(self._plan.user)

    def _start(self) -> None:
        self._port = free_port()
        if self._plan.start:
            stop = signal.Signals[f"SIG{self._plan.stop}"]
            argv = _shell(self._filled(self._plan.start))
            self._pid = self._server.serve(argv, self._ready, stop=stop, patience=self._plan.ready_timeout)

    def _ready(self) -> bool:
        plan = self._plan
        if plan.ready_socket:
            return accepts(self._filled(plan.ready_socket))
        if plan.ready_port:
            return accepts(("127.0.0.1", self._port if plan.ready_port == "{port}" else int(plan.ready_port)))
        try:
            self._server.run(_shell(self._filled(plan.ready_command)), plan.ready_timeout)
        except WorkloadFailed:
            return False
        return True

    def _filled(self, text: str, values: Mapping[str, object] | None = None) -> str:
        """`text` with its places filled; braces around anything else stay."""
        known = {"here": self._plan.here, "folder": self._server.folder, "port": self._port, **(values or {})}
        for name, value in known.items():
            text = text.replace("{" + name + "}", str(value))
        return text


def _check_user(name: str | None) -> None:
    if name is None:
        return
    if os.geteuid() != 0:
        raise NotPossible(f"server.user = {name!r} takes root")
    try:
        getpwnam(name)
    except KeyError:
        raise WrongUse(f"server.user: there is no user {name!r}") from None


def _loads(plan: Plan, metric: Metric) -> list[Load]:
    least = plan.connections[0]
    found = [Load(f"at {rate:,.6g}/s", rate, least, metric) for rate in sorted(plan.rates)]
    if not plan.rates:
        found = [Load(_over(count), 0.0, count, metric) for count in plan.connections]
    return found


def _over(connections: int) -> str:
    return "over one connection" if connections == 1 else f"over {connections} connections"


def _shell(line: str) -> list[str]:
    return ["/bin/sh", "-c", line]
