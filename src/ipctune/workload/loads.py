"""What the workloads have in common: their loads, how many requests fit a block, and a sample from what came out."""

from ipctune.bench.histogram import Histogram
from ipctune.errors import WorkloadFailed
from ipctune.workload.cost import Cost, spoiled
from ipctune.workload.model import Load, Sample
from ipctune.workload.server import Driven

__all__ = ["DEFAULT_RATE", "Pace", "closed", "closed_load", "from_buckets", "open_load", "opened"]

DEFAULT_RATE = 1000.0
"""Requests a second in open loop unless another rate is asked for: that of the built-in patterns."""
_LEAST = 100


def open_load(rate: float, connections: int = 1) -> Load:
    """Requests at Poisson arrivals."""
    return Load(f"at {rate:,.6g}/s", rate, connections)


def closed_load(connections: int, what: str = "connection") -> Load:
    """As fast as that many clients go, each waiting for its answer before it asks again."""
    many = f"{connections} {what}s" if connections > 1 else f"one {what}"
    return Load(f"over {many}", 0.0, connections)


class Pace:
    """How many requests take the time asked for, by what went through at that load last."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._rates: dict[Load, float] = {}

    def known(self, load: Load) -> bool:
        """Whether that load was measured before."""
        return load in self._rates

    def count(self, load: Load, seconds: float) -> int:
        """Requests for a block of `seconds`; a small first number where nothing is known."""
        rate = self._rates.get(load)
        return self._first if rate is None else max(_LEAST, round(rate * seconds))

    def saw(self, load: Load, rate: float) -> None:
        """So many a second went through."""
        self._rates[load] = rate


def closed(load: Load, rate: float, messages: int, cost: Cost) -> Sample:
    """A sample of a closed loop whose client counted `rate` requests a second.

    Its figure is the time that a request takes, connections / rate (J. D. C. Little, A proof for the queuing formula,
    1961): a mean, because well-known clients round single latencies to as much as 8 µs. Raises WorkloadFailed.
    """
    if not rate > 0:
        raise WorkloadFailed("the client says that nothing went through")
    return Sample(
        figure=load.connections / rate * 1e9,
        seconds=messages / rate,
        messages=messages,
        cpu_ns=cost.cpu_ns,
        poll_ns=cost.poll_ns,
        spoiled=spoiled(cost),
        halts=cost.halts,
    )


def from_buckets(buckets: tuple[tuple[int, int], ...], cost: Cost) -> Sample:
    """A sample of single latencies: the figure is their median. Raises WorkloadFailed where there are none."""
    found = Histogram.of(buckets)
    if not found.count:
        raise WorkloadFailed("no request was due in that time", hint="a higher rate, or longer blocks")
    return Sample(
        figure=found.quantile(0.5),
        seconds=cost.seconds,
        messages=found.count,
        cpu_ns=cost.cpu_ns,
        poll_ns=cost.poll_ns,
        buckets=found.buckets,
        spoiled=spoiled(cost),
        halts=cost.halts,
    )


def opened(driven: Driven) -> Sample:
    """A sample of our own open-loop client."""
    return from_buckets(driven.buckets, driven.cost)
