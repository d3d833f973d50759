"""A command of the user's as a workload: each block is one run, its figure the metric that it prints.

A process of ours stands between the tuner and the command (`workload.supervise`): whichever way the tuner ends, and
whatever the command starts, nothing of it is left behind.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import ipctune
from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.workload import tree
from ipctune.workload.cost import spoiled
from ipctune.workload.metric import NoMetric, reader
from ipctune.workload.model import CommandLine, Load, Metric, Sample
from ipctune.workload.output import last_lines
from ipctune.workload.supervise import Answer, Order

__all__ = ["IDENTICAL", "Command"]

IDENTICAL = 10
"""Runs in a row that may print the very same number; one more is no measurement."""
_LEAST_TIMEOUT, _TIMES = 10.0, 10
_START = "import sys; sys.path.insert(0, {lib!r}); from ipctune.workload.supervise import main; main()"
_ENDING = 30.0  # seconds for the supervisor to end everything: it gives up after 10, twice, and cleans up for 10
_RLIMITS = {"RLIMIT_MEMLOCK": resource.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": resource.RLIMIT_MSGQUEUE}
"""Options that are resource limits."""


@dataclass
class _Shared:
    """What all runs have in common, whatever their options."""

    limit: float
    around: float
    mark: str
    supervisor: subprocess.Popen[bytes] | None = None
    last: float = 0.0
    times: int = 0
    known: bool = False


class Command:
    """Runs of one command. `first` bounds the first run, in seconds; later ones have ten times what that took.

    Raises WrongUse where the metric can't be read by anything.
    """

    def __init__(self, line: CommandLine, *, first: float, options: Mapping[str, str] | None = None) -> None:
        self._line = line
        self._read = reader(line.metric)
        self._options = dict(options or {})
        limit, mark = line.timeout or first, f"IPCTUNE_RUN={os.getpid()}-{time.monotonic_ns()}"
        self._shared = _Shared(limit, limit, mark, known=line.timeout is not None)
        self.notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self._line.command

    @property
    def loads(self) -> tuple[Load, ...]:
        metric = Metric(self._line.metric, not self._line.lower_is_better)
        return (Load("in a run of the command", metric=metric),)

    def adjusted(self, options: Mapping[str, str]) -> "Command":
        """The same command, `cpus` (same: all of it on the last vCPU), `policy` (batch) and resource limits
        (`RLIMIT_MEMLOCK`, bytes) set before it starts."""
        other = Command(self._line, first=self._shared.limit, options={**self._options, **options})
        other._shared = self._shared
        return other

    def __enter__(self) -> Self:
        name, _, value = self._shared.mark.partition("=")
        lib = str(Path(ipctune.__file__).resolve().parents[1])
        self._shared.supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START.format(lib=lib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {name: value},
        )
        try:
            said = self._ask({"private": self._line.private})
        except BaseException:
            self.__exit__()
            raise
        if "error" in said:
            self.__exit__()
            raise NotPossible(said["error"], hint=said.get("hint", ""))
        self.notes = tuple(said["notes"])
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever runs, and wait until it has ended."""
        supervisor, self._shared.supervisor = self._shared.supervisor, None
        if supervisor is None:
            return
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        with suppress(BrokenPipeError):
            supervisor.stdin.close()
        try:
            supervisor.wait(_ENDING)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
        if supervisor.returncode:
            tree.end_marked(self._shared.mark)
        supervisor.stdout.close()

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One run, as long as it takes. Raises WorkloadFailed where it fails, hangs, or prints no usable number."""
        answer = self._run()
        self._check(answer)
        try:
            figure = self._read(answer.output)
        except NoMetric as error:
            raise WorkloadFailed(f"the command {error}", hint=last_lines(answer.output)) from None
        self._compare(figure)
        if not self._shared.known:
            self._shared.limit = max(_LEAST_TIMEOUT, _TIMES * answer.seconds)
            self._shared.known = True
        return Sample(
            figure=figure,
            seconds=answer.seconds,
            messages=0,
            cpu_ns=answer.cpu_ns,
            poll_ns=answer.poll_ns,
            spoiled=spoiled(answer),
            halts=answer.halts,
        )

    def _run(self) -> Answer:
        line = self._line
        cpus = (max(os.sched_getaffinity(0)),) if self._options.get("cpus") == "same" else ()
        order = Order(
            line.command, line.prepare, line.cleanup, self._shared.limit, self._shared.around, line.folder, cpus
        )
        limits = tuple((_RLIMITS[name], int(text)) for name, text in self._options.items() if name in _RLIMITS)
        order = replace(order, batch=self._options.get("policy") == "batch", limits=limits)
        try:
            said = self._ask(asdict(order))
        except BaseException:
            self.__exit__()
            raise
        return Answer(**{**said, "left": tuple(said["left"])})

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        supervisor = self._shared.supervisor
        assert supervisor is not None
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        line = b""
        with suppress(BrokenPipeError):
            supervisor.stdin.write(json.dumps(order).encode() + b"\n")
            supervisor.stdin.flush()
            line = supervisor.stdout.readline()
        if not line:
            raise WorkloadFailed("the process that looks after the command has ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def _check(self, answer: Answer) -> None:
        what = "the command" if answer.stage == "command" else f"--{answer.stage}"
        if answer.left:
            raise WorkloadFailed(f"{what} left processes that can't be ended: {', '.join(map(str, answer.left))}")
        if answer.late:
            limit = self._shared.limit if answer.stage == "command" else self._shared.around
            raise WorkloadFailed(
                f"{what} did not end within {limit:.3g} s, and was ended",
                hint="--timeout gives it longer; " + last_lines(answer.output),
            )
        if answer.status:
            raise WorkloadFailed(f"{what} failed: {_status(answer.status)}", hint=last_lines(answer.output))

    def _compare(self, figure: float) -> None:
        """The same number again and again is a constant, or too coarse to be compared."""
        shared = self._shared
        shared.times = shared.times + 1 if figure == shared.last else 1
        shared.last = figure
        if shared.times > IDENTICAL:
            raise WorkloadFailed(
                f"the command printed {figure:g} {shared.times} times in a row: that is no measurement",
                hint="--metric has to find a figure that is measured in each run, with more digits",
            )


def _status(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"ended by signal {-code}" if code < 0 else f"exit code {code}"
