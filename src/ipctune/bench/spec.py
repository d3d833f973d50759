"""What one block measures, as a value; it knows how the core's command line says it."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from ipctune.bench.sizes import LARGEST, named
from ipctune.errors import WrongUse

__all__ = ["FANS", "FREE", "PAGES", "PAIRS", "PATTERNS", "POLICIES", "WAITS", "Spec"]

FREE = (-1, -1)
PAIRS = ("ping-pong", "stream")
"""The patterns that need no count and that every mechanism has."""
FANS = ("fan-in", "fan-out")
PATTERNS = (*PAIRS, "burst", *FANS, "connect")
POLICIES = ("other", "batch", "fifo")
WAITS = ("block", "retry", "poll", "epoll")
PAGES = ("normal", "prefault", "mlock", "huge")
NAMESPACES = ("private", "present")
MOST_SLOTS = 16384
LARGEST_RING = 1 << 30
LONGEST_SPIN_NS = 1_000_000_000
MOST_IN_A_BATCH = 1024
"""sendmmsg(2) takes no more."""
MOST_PEERS = 64
LONGEST_BURST = 100_000


@dataclass(frozen=True, slots=True)
class Spec:
    """One pair of processes and how they talk; the names are those of `ipctune-core run`.

    `size` is the payload of a message in bytes (1 B to 16 MiB); `cpus` the vCPU of each side, -1
    for not pinned; `rate` messages a second in open loop, 0 for as fast as it goes; `gap_ns` the
    idle time before each round trip; `work_ns` what the answerer (server, consumer) computes after
    each receive, `work_driver_ns` the driver (client, producer) before each send; `burst` messages
    at once, for that pattern alone; `peers` how many there are on the side of a fan that has many
    (2 to 64); `capacity` bytes of pipe, socket buffer or queue, 0 for the
    kernel's default; `pages` those of the memory that rings lie in; `slots` of the ring of a stream,
    a power of two, 0 for 1 MiB of them; `spin_ns` how long a side spins before it sleeps, 0 for
    20 µs; `sysctls` pairs of name and value set in the private IPC namespace only;
    `wait` how a side waits for the other; `write_size` the most bytes a write, 0 for a message in
    one; `batch` messages handed over in one call (streams only); `noerror` receives with MSG_NOERROR.
    Whether a mechanism takes an option, the core says (`MechanismInfo.options`).
    """

    mechanism: str = "pipe"
    pattern: str = "ping-pong"
    size: int = 64
    cpus: tuple[int, int] = FREE
    rate: float = 0.0
    gap_ns: int = 0
    capacity: int = 0
    policy: str = "other"
    sysctls: tuple[tuple[str, str], ...] = ()
    ipc_namespace: str = "private"
    work_ns: int = 0
    pages: str = "normal"
    slots: int = 0
    spin_ns: int = 0
    wait: str = "block"
    write_size: int = 0
    batch: int = 1
    noerror: bool = False
    work_driver_ns: int = 0
    burst: int = 0
    peers: int = 0

    def __post_init__(self) -> None:
        _choice("pattern", self.pattern, PATTERNS)
        _choice("policy", self.policy, POLICIES)
        _choice("kind of pages", self.pages, PAGES)
        _choice("way to wait", self.wait, WAITS)
        _choice("IPC namespace", self.ipc_namespace, NAMESPACES)
        if not 1 <= self.size <= LARGEST:
            raise WrongUse(f"a message of {self.size} bytes", hint="1 byte to 16 MiB")
        if min(self.rate, self.gap_ns, self.capacity, self.work_ns, self.work_driver_ns, self.write_size) < 0:
            raise WrongUse("rate, gap, work, capacity and write size can't be negative")
        if self.write_size > LARGEST:
            raise WrongUse(f"writes of {self.write_size} bytes", hint="16 MiB at most")
        if self.rate and self.gap_ns:
            raise WrongUse("a rate and a gap at once", hint="the gap belongs to flat out")
        _check_batch(self)
        if self.wait == "retry" and self.policy == "fifo":
            raise WrongUse("retrying under SCHED_FIFO", hint="nothing else would get the vCPU")
        if self.sysctls and self.ipc_namespace != "private":
            raise WrongUse("a sysctl outside a private IPC namespace")
        if not 0 <= self.spin_ns <= LONGEST_SPIN_NS:
            raise WrongUse(f"spinning for {self.spin_ns} ns", hint="1 ns to 1 s; 0: the default of 20 µs")
        self._check_slots()
        self._check_counts()
        self._check_ways()

    def _check_slots(self) -> None:
        if not 0 <= self.slots <= MOST_SLOTS or self.slots & (self.slots - 1):
            raise WrongUse(f"a ring of {self.slots} slots", hint=f"a power of two, {MOST_SLOTS} at most")
        if self.slots and self.pattern != "stream":
            raise WrongUse("slots without a stream", hint="a ping-pong has one message on its way")
        if self.slots * self.size > LARGEST_RING:
            raise WrongUse(f"{self.slots} slots of {named(self.size)}", hint="1 GiB in all at most")

    def _check_counts(self) -> None:
        burst, fan = self.pattern == "burst", self.pattern in FANS
        if not (1 <= self.burst <= LONGEST_BURST if burst else self.burst == 0):
            raise WrongUse(f"{self.pattern} with a burst of {self.burst}", hint=f"burst takes 1 to {LONGEST_BURST}")
        if not (2 <= self.peers <= MOST_PEERS if fan else self.peers == 0):
            raise WrongUse(f"{self.pattern} with {self.peers} peers", hint=f"fan-in and fan-out take 2 to {MOST_PEERS}")
        if burst and self.rate:
            raise WrongUse("bursts at a rate", hint="one follows the other")

    def _check_ways(self) -> None:
        told = self.wait != "block" or self.write_size or self.noerror
        if told and self.pattern not in PAIRS:
            raise WrongUse(f"a way to wait or to write in {self.pattern}", hint="they go with ping-pong and stream")

    def arguments(self) -> list[str]:
        """The options of `ipctune-core run` that say this; its defaults are left out."""
        said = [
            *("--mechanism", self.mechanism, "--pattern", self.pattern),
            *("--size", str(self.size), "--cpus", f"{self.cpus[0]},{self.cpus[1]}"),
        ]
        default = Spec()
        if self.rate:
            said += ["--rate", f"{self.rate:.12g}"]
        said += self._counts()
        if self.gap_ns:
            said += ["--gap", str(self.gap_ns)]
        if self.capacity:
            said += ["--capacity", str(self.capacity)]
        if self.pages != default.pages:
            said += ["--pages", self.pages]
        if self.slots:
            said += ["--slots", str(self.slots)]
        if self.spin_ns:
            said += ["--spin", str(self.spin_ns)]
        if self.wait != default.wait:
            said += ["--wait", self.wait]
        if self.write_size:
            said += ["--write-size", str(self.write_size)]
        if self.batch != default.batch:
            said += ["--batch", str(self.batch)]
        if self.noerror:
            said += ["--noerror"]
        if self.policy != default.policy:
            said += ["--policy", self.policy]
        if self.ipc_namespace != default.ipc_namespace:
            said += ["--ipc-namespace", self.ipc_namespace]
        for name, value in self.sysctls:
            said += ["--sysctl", f"{name}={value}"]
        return said

    def _counts(self) -> list[str]:
        said = []
        if self.burst:
            said += ["--burst", str(self.burst)]
        if self.peers:
            said += ["--peers", str(self.peers)]
        if self.work_driver_ns:
            said += ["--work", f"{self.work_driver_ns},{self.work_ns}"]
        elif self.work_ns:
            said += ["--work", str(self.work_ns)]
        return said

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def placement(self) -> str:
        """`same` vCPU, `across` two, or `free` (at least one side is not pinned)."""
        if min(self.cpus) < 0:
            return "free"
        return "same" if self.cpus[0] == self.cpus[1] else "across"

    def describe(self) -> str:
        """One line for people, such as `pipe ping-pong 64 B, vCPUs 0 and 1, 1,000/s`."""
        words = [
            f"{self.mechanism} {self.pattern} {named(self.size)}",
            self._where(),
            self._load(),
        ]
        if self.peers:
            words.append(f"{self.peers} peers")
        if self.work_driver_ns:
            words.append(f"{self.work_driver_ns / 1000:g} and {self.work_ns / 1000:g} µs of work")
        elif self.work_ns:
            words.append(f"{self.work_ns / 1000:g} µs of work")
        if self.capacity:
            words.append(f"capacity {named(self.capacity)}")
        if self.pages != "normal":
            words.append(f"{self.pages} pages")
        if self.slots:
            words.append(f"{self.slots} slots")
        if self.spin_ns:
            words.append(f"{self.spin_ns / 1000:g} µs of spinning")
        words += self._ways()
        if self.policy != "other":
            words.append(f"SCHED_{self.policy.upper()}")
        words += [f"{name}={value}" for name, value in self.sysctls]
        return ", ".join(words)

    def _ways(self) -> list[str]:
        words = []
        if self.wait != "block":
            words.append(f"waits by {self.wait}")
        if self.write_size:
            words.append(f"writes of {named(self.write_size)}")
        if self.batch > 1:
            words.append(f"{self.batch} a call")
        if self.noerror:
            words.append("MSG_NOERROR")
        return words

    def _where(self) -> str:
        first, second = self.cpus
        return {
            "free": "not pinned",
            "same": f"both on vCPU {first}",
            "across": f"vCPUs {first} and {second}",
        }[self.placement]

    def _load(self) -> str:
        if self.rate:
            return f"{self.rate:,.6g}/s"
        if self.gap_ns:
            return f"{self.gap_ns / 1000:g} µs idle before each"
        return f"{self.burst:,} at once" if self.burst else "as fast as it goes"


def _check_batch(spec: Spec) -> None:
    if not 1 <= spec.batch <= MOST_IN_A_BATCH:
        raise WrongUse(f"{spec.batch} messages a call", hint=f"1 to {MOST_IN_A_BATCH}")
    if spec.batch == 1:
        return
    if spec.pattern != "stream":
        raise WrongUse("a batch in a ping-pong", hint="batches belong to a stream")
    if spec.write_size:
        raise WrongUse("a batch and a write size at once", hint="all in one call, or one message in several")
    if spec.work_ns or spec.work_driver_ns:
        raise WrongUse("work between the messages of a batch", hint="a batch comes at once")
    if spec.batch * spec.size > LARGEST:
        raise WrongUse(f"{spec.batch * spec.size} bytes a call", hint="16 MiB at most")


def _choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise WrongUse(f"no such {what}: {value}", hint=f"one of {', '.join(choices)}")
