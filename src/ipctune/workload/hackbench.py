"""hackbench: senders that each send to all receivers of their group, over Unix sockets, as fast as they go."""

import re
from typing import Self

from ipctune.errors import WorkloadFailed, WrongUse
from ipctune.workload.cost import Cost, spoiled
from ipctune.workload.loads import Pace, closed_load
from ipctune.workload.model import Load, Sample
from ipctune.workload.server import Server, program

__all__ = ["Hackbench", "parse_time"]

_PACKAGES = ("rt-tests", "realtime-tests")
_TIMEOUT = 120.0
SATURATING = 20
"""Senders, each with a receiver: hackbench's default group, 40 processes."""
_TIME = re.compile(r"^Time: (\d{1,12}(?:\.\d{1,12})?)\s*$", re.MULTILINE)


def parse_time(output: str) -> float:
    """The seconds that hackbench took, which it prints in ms. Raises WorkloadFailed."""
    found = _TIME.search(output)
    if found is None or not float(found[1]):
        raise WorkloadFailed("hackbench printed no time")
    return float(found[1])


class Hackbench:
    """One sender with one receiver, and one group of twenty of each."""

    name = "hackbench"

    def __init__(self, rate: float = 0.0) -> None:
        if rate:
            raise WrongUse("hackbench has no open loop", hint="leave out --rate")
        self.loads = (closed_load(1, "sender"), closed_load(SATURATING, "sender"))
        self._server = Server("hackbench", None)
        self._pace = Pace(first=20_000)

    def __enter__(self) -> Self:
        self._hackbench = program("hackbench", *_PACKAGES)
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One block; the figure is the time a message takes, in ns. Raises WorkloadFailed."""
        if not self._pace.known(load):
            self._block(load, seconds)
        return self._block(load, seconds)

    def _block(self, load: Load, seconds: float) -> Sample:
        pairs = load.connections**2  # every sender sends to every receiver
        loops = max(1, round(self._pace.count(load, seconds) / pairs))
        run = self._server.run([self._hackbench, "-g", "1", "-f", str(load.connections), "-l", str(loops)], _TIMEOUT)
        took, messages = parse_time(run.output), loops * pairs
        self._pace.saw(load, messages / took)
        return _sample(took, messages, run.cost)


def _sample(took: float, messages: int, cost: Cost) -> Sample:
    return Sample(
        figure=took / messages * 1e9,
        seconds=took,
        messages=messages,
        cpu_ns=cost.cpu_ns,
        poll_ns=cost.poll_ns,
        spoiled=spoiled(cost),
        halts=cost.halts,
    )
