"""What the trace commands show. Times are ns, unless a name says otherwise."""

from dataclasses import dataclass

__all__ = [
    "Called",
    "Edge",
    "End",
    "Flow",
    "Flows",
    "Graph",
    "Latencies",
    "Lock",
    "Locks",
    "Node",
    "Overview",
    "Own",
    "Spin",
    "Talk",
    "Waits",
    "Wakeups",
    "WokenProcess",
    "WokenVcpu",
]


@dataclass(frozen=True, slots=True)
class Called:
    """One call of one process. `asleep_ns` is what of `ns` its threads slept; the rest they worked, or could have.

    `slots` are counts by latency (`trace.slots`); `errors` counts by errno. p50 and p99 are within 12 %.
    """

    pid: int
    comm: str
    call: str
    count: int
    ns: int
    asleep_ns: int
    most_ns: int
    p50_ns: float | None
    p99_ns: float | None
    errors: dict[str, int]
    slots: tuple[int, ...] = ()

    @property
    def failed(self) -> int:
        """How many ended with an errno."""
        return sum(self.errors.values())


@dataclass(frozen=True, slots=True)
class Own:
    """What watching took: the programs' runs and time in the kernel, and this process's CPU time and memory."""

    program_runs: int
    program_ns: int
    cpu_ns: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Latencies:
    """What was counted in `seconds`. `lost` are calls that found no room; `missing` what could not be watched."""

    seconds: float
    calls: tuple[Called, ...]
    lost: int
    own: Own
    missing: tuple[str, ...] = ()
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Waits:
    """How often, how long in all, the longest since the start, and quantiles, which are within 12 %."""

    count: int
    ns: int
    most_ns: int
    p50_ns: float | None
    p99_ns: float | None


@dataclass(frozen=True, slots=True)
class WokenProcess:
    """What a process's threads waited for from being woken until they ran.

    `idle_vcpu`: the vCPU had to wake up first, which the hypervisor does. `run_queue`: another thread ran there.
    `across` counts the wake-ups that came from another vCPU.
    """

    pid: int
    comm: str
    across: int
    idle_vcpu: Waits
    run_queue: Waits


@dataclass(frozen=True, slots=True)
class WokenVcpu:
    """The same by the vCPU that they ran on. `steal_ns` is what the hypervisor took from it meanwhile, as it says
    itself: in steps of 10 ms, and 0 also where it tells nothing."""

    vcpu: int
    across: int
    idle_vcpu: Waits
    run_queue: Waits
    steal_ns: int = 0


@dataclass(frozen=True, slots=True)
class Wakeups:
    """What was counted in `seconds`. `lost` are wake-ups that found no room; `missing` what could not be watched.

    `slots` are counts of all waits by their length (`trace.slots`).
    """

    seconds: float
    processes: tuple[WokenProcess, ...]
    vcpus: tuple[WokenVcpu, ...]
    lost: int
    own: Own
    missing: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()
    schema: int = 1


@dataclass(frozen=True, slots=True)
class End:
    """What one process sent into an object, or took out of it.

    `bytes` lack those of sendmmsg and recvmmsg, which tell messages alone. `slept` is how often a call slept, for
    room or for something to come, and `asleep_ns` how long in all; `failed` ended with an errno. `fill` is how full a
    pipe was on average after these calls, a share of the pages that it holds; None for others.
    """

    pid: int
    comm: str
    sends: bool
    messages: int
    bytes: int
    slept: int
    asleep_ns: int
    failed: int
    fill: float | None


@dataclass(frozen=True, slots=True)
class Flow:
    """An object through which processes talk. `kind` and `ident`: pipe by its inode; unix by the lower inode of a
    connection's two; loopback, a connection of this machine to itself, by its two ports (the lower one times 65,536 and
    the other); another socket by its inode; sysv-msg by its id; posix-mq by its inode; eventfd by its address.
    """

    kind: str
    ident: int
    ends: tuple[End, ...]


@dataclass(frozen=True, slots=True)
class Flows:
    """What was counted in `seconds`. `lost` are calls that found no room; `missing` what could not be watched."""

    seconds: float
    flows: tuple[Flow, ...]
    lost: int
    own: Own
    missing: tuple[str, ...] = ()
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Lock:
    """A futex of one process, by its address; `name` is where that lies.

    `slept` is how often a thread slept for it, `asleep_ns` until it was woken in all, `to_run_ns` what passed from then
    until it ran, on average. `unslept` waits found the value changed (EAGAIN). `wakes` are calls that wake, `woken` the
    threads that they woke or moved to another futex, `in_vain` those that woke none. `stack` is that of the longest
    wait, the innermost first.
    """

    pid: int
    comm: str
    address: int
    name: str
    slept: int
    asleep_ns: int
    p50_ns: float | None
    p99_ns: float | None
    most_ns: int
    unslept: int
    timed_out: int
    interrupted: int
    wakes: int
    woken: int
    in_vain: int
    to_run_ns: float | None
    most_waiting: int
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spin:
    """A process that waits by spinning: the vCPUs that it spends so, where, and the instruction that tells."""

    pid: int
    comm: str
    vcpu: float
    name: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Locks:
    """What was counted in `seconds`. `lost` are calls that found no room; `missing` what could not be watched."""

    seconds: float
    locks: tuple[Lock, ...]
    lost: int
    own: Own
    missing: tuple[str, ...] = ()
    spins: tuple[Spin, ...] = ()
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """A process that talks."""

    pid: int
    comm: str


@dataclass(frozen=True, slots=True)
class Edge:
    """From a process that sends to one that takes, through objects of one kind.

    Where only wake-ups show that they talk (futex, sysv-sem, eventfd), `messages` counts those. `wakes` is how often a
    call that sends woke the other, `across` how many of these ran on another vCPU than the waker's.
    """

    source: int
    target: int
    kind: str
    messages: int
    bytes: int
    wakes: int = 0
    across: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """What was counted in `seconds`. `lost` is what found no room; `missing` what could not be watched."""

    seconds: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    lost: int
    own: Own
    missing: tuple[str, ...] = ()
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Talk:
    """An edge of the graph with what both ends wait for. Rates are a second.

    `across` is the share of wake-ups that ran on another vCPU than the waker's. `wake_p99_ns` is what the target waits
    from being woken to running, whoever woke it. `source_asleep` and `target_asleep` are shares of the time (above 1
    with several threads) that they slept in these calls: for room, and for something to come. `fill`: how full the
    pipe was.
    """

    source: int
    source_comm: str
    target: int
    target_comm: str
    kind: str
    messages_s: float
    bytes_s: float
    wakes_s: float
    across: float | None
    wake_p99_ns: float | None
    source_asleep: float
    target_asleep: float
    fill: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What was counted in `seconds`.

    `steal` is a share of each vCPU that somebody was woken on; `halted_share` the part of all waiting from being woken
    to running that was for an idle vCPU. `findings` say what it means, the most urgent first.
    """

    seconds: float
    talks: tuple[Talk, ...]
    locks: tuple[Lock, ...]
    spins: tuple[Spin, ...]
    steal: dict[int, float]
    halted_share: float | None
    findings: tuple[str, ...]
    lost: int
    own: Own
    missing: tuple[str, ...] = ()
    schema: int = 1
