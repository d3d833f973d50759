"""One measured block: its latencies, what both sides spent, and what else the machine did.

Every figure that says "a message" is a round trip for ping-pong and connect, one message for the others.
"""

import dataclasses
from dataclasses import dataclass

from ipctune.bench.counts import Burst, Zerocopy
from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.bench.histogram import Histogram, tail
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError, NotPossible

__all__ = [
    "FOREIGN_BOUND",
    "STEAL_BOUND",
    "Block",
    "Latency",
    "MachineCost",
    "NoMessage",
    "Side",
    "parse",
]

TICK_NS = 10_000_000
"""/proc/stat counts in units of USER_HZ, a hundredth of a second on every Linux."""
STEAL_BOUND = 0.02
"""Share of the block's wall time that all vCPUs together may lose to steal."""
FOREIGN_BOUND = 0.10
"""vCPUs that other programs may use beside a block."""
STEAL_SLACK_NS = TICK_NS
FOREIGN_SLACK_NS = 4 * TICK_NS
"""Two ticks of rounding for each of the pair's two vCPUs; vCPUs that idle have nothing to round."""


class NoMessage(NotPossible):
    """Not one message went through in the time that a block was given."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two sides spent in the measured part; the many processes of a fan are one side."""

    role: str
    cpu_ns: int
    voluntary_switches: int
    involuntary_switches: int
    minor_faults: int
    major_faults: int
    syscalls: int
    blocked: int | None = None
    run_delay_ns: int | None = None


@dataclass(frozen=True, slots=True)
class MachineCost:
    """What all vCPUs did in the measured part; None is "this machine doesn't tell"."""

    seconds: float
    steal_ns: int | None
    busy_ns: int
    foreign_ns: int
    poll_ns: int | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies in ns as the core summed them up; `kind` is `round-trip`, `one-way`, or a bystander's `due-to-done`."""

    kind: str
    count: int
    min: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    mean: float
    buckets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Output:
    """The core's answer, in its own shape."""

    mechanism: str
    pattern: str
    size: int
    cpus: tuple[int, int]
    rate: float
    gap_ns: int
    seed: int
    capacity: int | None
    ipc_namespace: str
    seconds: float
    messages: int
    bytes: int
    latency: Latency | None
    sides: tuple[Side, Side]
    machine: MachineCost
    zerocopy: Zerocopy | None = None
    pages: str | None = None
    slots: int | None = None
    spin_ns: int | None = None
    peers: int | None = None
    sharing: str | None = None
    share: tuple[int, int] | None = None
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One measured block; `capacity`, `ipc_namespace`, `pages`, `slots` and `spin_ns` are what was in effect.

    `zerocopy` is of both sides together. Of a fan, `sharing` is `one channel` or `a channel each`, and `share`
    the least and most messages that one of its `peers` sent or got.
    """

    spec: Spec
    seed: int
    seconds: float
    messages: int
    bytes: int
    capacity: int | None
    ipc_namespace: str
    latency: Latency | None
    sides: tuple[Side, Side]
    machine: MachineCost
    zerocopy: Zerocopy | None = None
    pages: str | None = None
    slots: int | None = None
    spin_ns: int | None = None
    peers: int | None = None
    sharing: str | None = None
    share: tuple[int, int] | None = None
    burst: Burst | None = None

    @property
    def histogram(self) -> Histogram | None:
        """The latencies; None for bursts, and for streams and fans as fast as they go, which have none."""
        return None if self.latency is None else Histogram(self.latency.buckets)

    @property
    def p50_ns(self) -> float | None:
        """Median latency."""
        return None if self.latency is None else self.latency.p50

    @property
    def p99_ns(self) -> float | None:
        """99th percentile, or None (unknown) with fewer than 10,000 samples."""
        return tail(self.histogram, 0.99)

    @property
    def rate(self) -> float:
        """Messages a second that went through."""
        return self.messages / self.seconds

    @property
    def bytes_per_second(self) -> float:
        """Payload that went through."""
        return self.bytes / self.seconds

    @property
    def cpu_ns(self) -> int:
        """CPU time of both sides."""
        return sum(side.cpu_ns for side in self.sides)

    @property
    def cpu_ns_per_message(self) -> float:
        """CPU time of both sides a message."""
        return self.cpu_ns / self.messages

    @property
    def poll_ns(self) -> int | None:
        """Growth of the cpuidle POLL state's time on all vCPUs; None without cpuidle.

        The kernel adds to it when the state is left: trust it over seconds, not over one block.
        """
        return self.machine.poll_ns

    @property
    def price_ns(self) -> int:
        """CPU of both sides and polling together; without cpuidle nothing polls there."""
        return self.cpu_ns + (self.poll_ns or 0)

    @property
    def price_ns_per_message(self) -> float:
        """CPU of both sides and polling, a message."""
        return self.price_ns / self.messages

    @property
    def price_vcpus(self) -> float:
        """CPU of both sides and polling, as vCPUs kept from other work."""
        return self.price_ns / (self.seconds * 1e9)

    @property
    def syscalls_per_message(self) -> float:
        """System calls of both sides a message."""
        return sum(side.syscalls for side in self.sides) / self.messages

    @property
    def switches_per_message(self) -> float:
        """Context switches of both sides a message."""
        switches = sum(s.voluntary_switches + s.involuntary_switches for s in self.sides)
        return switches / self.messages

    @property
    def faults_per_message(self) -> float:
        """Page faults of both sides a message."""
        return sum(side.minor_faults + side.major_faults for side in self.sides) / self.messages

    @property
    def blocked(self) -> int | None:
        """How often a send or a receive found that it had to wait; None where nobody can tell."""
        known = [side.blocked for side in self.sides if side.blocked is not None]
        return sum(known) if known else None

    @property
    def spoiled(self) -> str | None:
        """Why others spoiled this block, or None; never decided by the block's own result.

        Noise can make a block faster as well as slower, so the bounds look at steal and foreign
        CPU alone. Both allow for the 10-ms ticks of /proc/stat, which matter in short blocks.
        """
        wall = self.machine.seconds * 1e9
        steal, foreign = self.machine.steal_ns or 0, self.machine.foreign_ns
        if steal > STEAL_BOUND * wall + STEAL_SLACK_NS:
            return f"steal {steal / wall:.0%}"
        if foreign > FOREIGN_BOUND * wall + FOREIGN_SLACK_NS:
            return f"others used {foreign / wall:.2f} vCPU"
        return None


def parse(text: str | bytes, spec: Spec) -> Block:
    """The core's answer to `spec` as a block.

    Raises IpctuneError where the answer is corrupt or is about something else, NoMessage where no
    message went through in the time that was given.
    """
    try:
        output = decode(_Output, loads(text))
        _check(output, spec)
    except MalformedError as error:
        raise IpctuneError(f"the measuring core's answer is corrupt: {error}") from None
    if output.messages == 0:
        raise NoMessage(f"no message went through: {spec.describe()}", hint="give it more time")
    fields = {f.name for f in dataclasses.fields(Block)} - {"spec"}
    return Block(spec=spec, **{name: getattr(output, name) for name in fields})


def _check(output: _Output, spec: Spec) -> None:
    for name in ("mechanism", "pattern", "size", "cpus", "gap_ns"):
        if getattr(output, name) != getattr(spec, name):
            raise MalformedError(f"{name} is {getattr(output, name)}, asked was {getattr(spec, name)}")
    if output.seconds <= 0 or output.machine.seconds <= 0:
        raise MalformedError("it took no time")
    if output.messages < 0 or output.bytes < 0:
        raise MalformedError("a negative count")
    _check_counts(output, spec)
    for side in output.sides:
        if min(side.cpu_ns, side.syscalls, side.voluntary_switches, side.involuntary_switches) < 0:
            raise MalformedError(f"a negative cost of the {side.role}")
    if output.zerocopy is not None and not 0 <= output.zerocopy.copied <= output.zerocopy.completions:
        raise MalformedError("zerocopy: more was copied than was completed")
    if output.latency is not None:
        _check_latency(output.latency)


def _check_counts(output: _Output, spec: Spec) -> None:
    if (output.peers or 0) != spec.peers:
        raise MalformedError(f"peers is {output.peers}, asked was {spec.peers}")
    burst = output.burst
    if (burst is None) != (spec.burst == 0):
        raise MalformedError("burst is there without having been asked for, or is missing")
    if burst and (burst.offered != burst.bursts * spec.burst or burst.offered != burst.accepted + burst.refused):
        raise MalformedError("burst: the counts don't add up")


def _check_latency(latency: Latency) -> None:
    lows = [low for low, _ in latency.buckets]
    if lows != sorted(set(lows)) or any(low < 0 or count <= 0 for low, count in latency.buckets):
        raise MalformedError("latency.buckets are not in order")
    if sum(count for _, count in latency.buckets) != latency.count:
        raise MalformedError("latency.count is not the sum of the buckets")
    if not latency.min <= latency.p50 <= latency.p90 <= latency.p99 <= latency.p999 <= latency.max:
        raise MalformedError("latency: the quantiles are not in order")
