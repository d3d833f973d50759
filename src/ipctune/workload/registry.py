"""The workloads by name; a name with a slash or that ends in .toml is a file of the user's own."""

import importlib
from pathlib import Path

from ipctune.errors import WrongUse
from ipctune.workload.model import Workload

__all__ = ["NAMES", "SUMMARIES", "make"]

_MADE_BY = {
    "redis": ("redis", "Redis"),
    "postgres": ("postgres", "Postgres"),
    "nginx": ("nginx", "Nginx"),
    "perf-pipe": ("perf_pipe", "PerfPipe"),
    "hackbench": ("hackbench", "Hackbench"),
}
SUMMARIES = {
    "redis": "redis-server on a Unix socket: GET by redis-benchmark, and by our client at a rate",
    "postgres": "PostgreSQL on a Unix socket: pgbench, select-only",
    "nginx": "nginx on loopback TCP: 64 bytes by wrk, and by our client at a rate",
    "perf-pipe": "perf bench sched pipe",
    "hackbench": "hackbench: senders and receivers on Unix sockets",
}
NAMES = tuple(_MADE_BY)


def make(name: str, rate: float | None = None) -> Workload:
    """A workload, not entered yet. `rate`: that of its open loop, requests a second; None: its default.

    Raises WrongUse for a name that is none, a file that is none, or a rate where there is no open loop.
    """
    if "/" in name or name.endswith(".toml"):
        from ipctune.workload.toml_workload import load

        return load(Path(name), rate)
    if name not in _MADE_BY:
        raise WrongUse(
            f"there is no workload {name!r}", hint=f"one of {', '.join(NAMES)}, or a file such as ./mine.toml"
        )
    if rate is not None and not 0 < rate < float("inf"):
        raise WrongUse(f"a rate of {rate:g} requests a second")
    module, kind = _MADE_BY[name]
    made = getattr(importlib.import_module(f"ipctune.workload.{module}"), kind)
    workload: Workload = made() if rate is None else made(rate)
    return workload
