"""perf bench sched pipe: two processes that wake each other over a pair of pipes, as fast as they go.

It has no open loop; `--mechanism pipe --rate` of the built-in patterns is the same exchange with one.
"""

import os
import re

from ipctune.errors import WorkloadFailed, WrongUse
from ipctune.workload.closed_loop import ClosedLoop
from ipctune.workload.loads import closed_load
from ipctune.workload.model import Load

__all__ = ["PerfPipe", "parse_pipe"]

_PER_OP = re.compile(r"^\s*(\d{1,12}(?:\.\d{1,12})?) usecs/op\s*$", re.MULTILINE)


def parse_pipe(output: str, pairs: int = 1) -> float:
    """Round trips a second of all pairs together, from each one's `usecs/op`. Raises WorkloadFailed."""
    found = [float(text) for text in _PER_OP.findall(output)]
    if len(found) != pairs or not all(found):
        raise WorkloadFailed("perf bench printed no usecs/op of each pair")
    return sum(1e6 / us for us in found)


class PerfPipe(ClosedLoop):
    """One pair, and as many pairs as there are vCPUs."""

    name = "perf-pipe"
    needs = ("perf", "linux-perf", "perf")

    def __init__(self, rate: float = 0.0) -> None:
        if rate:
            raise WrongUse("perf bench sched pipe has no open loop", hint="ipctune bench --mechanism pipe --rate has")
        super().__init__((closed_load(1, "pair"), closed_load(max(2, os.cpu_count() or 1), "pair")), first=2000)

    def _command(self, path: str, load: Load, wanted: int) -> tuple[list[str], int]:
        each = max(1, round(wanted / load.connections))
        one = f'"$0" bench sched pipe -l {each}'
        line = " & ".join([one] * load.connections) + ("; wait" if load.connections > 1 else "")
        return ["/bin/sh", "-c", line, path], each * load.connections

    def _rate(self, output: str, load: Load, messages: int) -> float:
        return parse_pipe(output, load.connections)
