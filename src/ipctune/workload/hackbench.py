"""hackbench: senders that each send to all receivers of their group, over Unix sockets, as fast as they go."""

import re
from dataclasses import replace

from ipctune.errors import WorkloadFailed, WrongUse
from ipctune.workload.closed_loop import ClosedLoop
from ipctune.workload.cost import Cost
from ipctune.workload.loads import closed, closed_load
from ipctune.workload.model import Load, Sample

__all__ = ["Hackbench", "parse_time"]

SATURATING = 20
"""Senders, each with a receiver: hackbench's default group, 40 processes."""
_TIME = re.compile(r"^Time: (\d{1,12}(?:\.\d{1,12})?)\s*$", re.MULTILINE)


def parse_time(output: str) -> float:
    """The seconds that hackbench took, which it prints in ms. Raises WorkloadFailed."""
    found = _TIME.search(output)
    if found is None or not float(found[1]):
        raise WorkloadFailed("hackbench printed no time")
    return float(found[1])


class Hackbench(ClosedLoop):
    """One sender with one receiver, and one group of twenty of each."""

    name = "hackbench"
    needs = ("hackbench", "rt-tests", "realtime-tests")

    def __init__(self, rate: float = 0.0) -> None:
        if rate:
            raise WrongUse("hackbench has no open loop", hint="leave out --rate")
        super().__init__((closed_load(1, "sender"), closed_load(SATURATING, "sender")), first=20_000)

    def _command(self, path: str, load: Load, wanted: int) -> tuple[list[str], int]:
        pairs = load.connections**2  # every sender sends to every receiver
        loops = max(1, round(wanted / pairs))
        return [path, "-g", "1", "-f", str(load.connections), "-l", str(loops)], loops * pairs

    def _rate(self, output: str, load: Load, messages: int) -> float:
        return messages / parse_time(output)

    def _sample(self, load: Load, rate: float, messages: int, cost: Cost) -> Sample:
        """The figure is the time from one message to the next, whoever sends it."""
        return replace(closed(load, rate, messages, cost), figure=1e9 / rate)
