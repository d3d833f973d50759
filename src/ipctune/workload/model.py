"""What a workload is to the loop: loads, and samples of them with their costs. Nothing here runs anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["Adjustable", "CommandLine", "Load", "Metric", "Sample", "Workload"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the user's own, in its own unit, under the name that the user gave it."""

    name: str
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """How hard a workload is driven.

    `rate` is messages (requests, transactions) a second in open loop, Poisson arrivals, latency from the intended
    start; 0 is as fast as `connections` clients go, each waiting for its answer before it asks again.
    `metric` says what the samples' figure is; None: the median latency in ns. The name goes into sentences such as
    "p50 is worse NAME": "at 1,000/s", "over one connection". `live`: nobody drives it, it is the traffic that a service
    has, which may change of its own while a setting is tried.
    """

    name: str
    rate: float = 0.0
    connections: int = 1
    metric: Metric | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One block of a workload at one load.

    `figure` is what the goal looks at first, above 0: the median latency in ns, or a command's own metric in
    its own unit. `messages` is 0 where nobody counts them. CPU is that of the workload, all of its processes;
    `poll_ns` the growth of the cpuidle POLL state's time on all vCPUs, None without cpuidle. `buckets` are pairs of
    lowest ns and count, None where single latencies are unknown. `spoiled` says what others did, or None. `halts`
    is how often vCPUs entered an idle state other than POLL meanwhile, None where nobody counted.
    """

    figure: float
    seconds: float
    messages: int
    cpu_ns: int
    poll_ns: int | None
    buckets: tuple[tuple[int, int], ...] | None = None
    spoiled: str | None = None
    halts: int | None = None

    @property
    def price_ns(self) -> int:
        """CPU and polling together; without cpuidle nothing polls there."""
        return self.cpu_ns + (self.poll_ns or 0)

    @property
    def rate(self) -> float:
        """Messages a second that went through; 0 where nobody counts them."""
        return self.messages / self.seconds


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command of the user's with the figure that it prints: all that it takes to run it again.

    `command`, `prepare` and `cleanup` are lines for /bin/sh -c, run in `folder`. `metric` is a regular expression
    with a capture group, or `json:` and a dotted path. `timeout` is in seconds for each of the three; None: ten times
    the first run, at least 10. The environment is the caller's and is not recorded.
    """

    command: str
    metric: str
    lower_is_better: bool = False
    private: bool = False
    prepare: str = ""
    cleanup: str = ""
    timeout: float | None = None
    folder: str = "/"


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


@runtime_checkable
class Adjustable(Workload, Protocol):
    """A workload whose processes can be started with a program's options: `cpus` (same), `policy` (batch).

    A command also takes resource limits (`RLIMIT_MEMLOCK`, bytes).
    """

    def adjusted(self, options: Mapping[str, str]) -> Workload:
        """The same, entered already, with these options."""
