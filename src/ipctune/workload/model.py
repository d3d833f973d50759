"""What a workload is to the loop: loads, and samples of them with their costs. Nothing here runs anything."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Load", "Sample", "Workload"]


@dataclass(frozen=True, slots=True)
class Load:
    """How hard a workload is driven.

    `rate` is messages (requests, transactions) a second in open loop, Poisson arrivals, latency from the intended
    start; 0 is as fast as `connections` clients go, each waiting for its answer before it asks again.
    """

    name: str
    rate: float = 0.0
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One block of a workload at one load.

    `figure` is what the goal looks at first, above 0: the median latency in ns, or a command's own metric in
    its own unit. `messages` is 0 where nobody counts them. CPU is that of the workload, all of its processes;
    `poll_ns` the growth of the cpuidle POLL state's time on all vCPUs, None without cpuidle. `buckets` are pairs of
    lowest ns and count, None where single latencies are unknown. `spoiled` says what others did, or None.
    """

    figure: float
    seconds: float
    messages: int
    cpu_ns: int
    poll_ns: int | None
    buckets: tuple[tuple[int, int], ...] | None = None
    spoiled: str | None = None

    @property
    def rate(self) -> float:
        """Messages a second that went through; 0 where nobody counts them."""
        return self.messages / self.seconds


class Workload(Protocol):
    """A context manager: whatever it starts has ended, and whatever it wrote is gone, when it is left."""

    @property
    def name(self) -> str: ...

    @property
    def loads(self) -> tuple[Load, ...]:
        """The loads of every trial, the slowest first."""

    def __enter__(self) -> "Workload": ...

    def __exit__(self, *_: object) -> None: ...

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """Measure one block of about `seconds`. Raises IpctuneError where it fails, hangs or lies."""
