"""perf bench sched pipe: two processes that wake each other over a pair of pipes, as fast as they go.

It has no open loop; `--mechanism pipe --rate` of the built-in patterns is the same exchange with one.
"""

import os
import re
from typing import Self

from ipctune.errors import WorkloadFailed, WrongUse
from ipctune.workload.loads import Pace, closed, closed_load
from ipctune.workload.model import Load, Sample
from ipctune.workload.server import Server, program

__all__ = ["PerfPipe", "parse_pipe"]

_PACKAGES = ("linux-perf", "perf")
_TIMEOUT = 120.0
_PER_OP = re.compile(r"^\s*(\d{1,12}(?:\.\d{1,12})?) usecs/op\s*$", re.MULTILINE)


def parse_pipe(output: str, pairs: int = 1) -> float:
    """Round trips a second of all pairs together, from each one's `usecs/op`. Raises WorkloadFailed."""
    found = [float(text) for text in _PER_OP.findall(output)]
    if len(found) != pairs or not all(found):
        raise WorkloadFailed("perf bench printed no usecs/op of each pair")
    return sum(1e6 / us for us in found)


class PerfPipe:
    """One pair, and as many pairs as there are vCPUs."""

    name = "perf-pipe"

    def __init__(self, rate: float = 0.0) -> None:
        if rate:
            raise WrongUse("perf bench sched pipe has no open loop", hint="ipctune bench --mechanism pipe --rate has")
        self.loads = (closed_load(1, "pair"), closed_load(max(2, os.cpu_count() or 1), "pair"))
        self._server = Server("perf-pipe", None)
        self._pace = Pace(first=2000)

    def __enter__(self) -> Self:
        self._perf = program("perf", *_PACKAGES)
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One block. Raises WorkloadFailed."""
        if not self._pace.known(load):
            self._block(load, seconds)
        return self._block(load, seconds)

    def _block(self, load: Load, seconds: float) -> Sample:
        each = max(1, round(self._pace.count(load, seconds) / load.connections))
        one = f'"$0" bench sched pipe -l {each}'
        line = " & ".join([one] * load.connections) + ("; wait" if load.connections > 1 else "")
        run = self._server.run(["/bin/sh", "-c", line, self._perf], _TIMEOUT)
        rate = parse_pipe(run.output, load.connections)
        self._pace.saw(load, rate)
        return closed(load, rate, each * load.connections, run.cost)
