"""What a machine's own programs do over some seconds: rates, and what they say about where the waiting comes from.

Rates are a second of the window; waiting is ms a second, summed over all that wait. `None` is unknown.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Ceiling",
    "DiskRates",
    "PressureRates",
    "ProgramRates",
    "Rates",
    "VcpuRates",
    "WaitCause",
    "Waiting",
    "Watch",
]

PSI_SECONDS = 6.0
"""Windows shorter than three updates of the kernel's pressure totals are not judged by them."""


class WaitCause(StrEnum):
    """Where the waiting of a machine's programs comes from; the last two say that there is next to none."""

    IPC = "ipc"
    STEAL = "steal"
    SWAP = "swap"
    DISK = "disk"
    RUN_QUEUE = "run-queue"
    FULL_VCPU = "full-vcpu"
    NONE = "none"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class VcpuRates:
    """One vCPU. Shares are of the window, 0 to 1; our own processes and SCHED_IDLE ones are not in `busy`.

    `halts` are entries of idle states other than POLL, `ipis` rescheduling and function-call interrupts taken.
    """

    cpu: int
    busy: float
    steal: float
    iowait: float
    halts: float | None
    ipis: float | None


@dataclass(frozen=True, slots=True)
class ProgramRates:
    """All processes of one name. `switches` are voluntary: it waited for something, mostly for others."""

    name: str
    processes: int
    switches: float
    wait_ms: float
    vcpus: float


@dataclass(frozen=True, slots=True)
class PressureRates:
    """How long some (and all) tasks stalled on a resource in the window, ms a second.

    Source: Documentation/accounting/psi.rst in the kernel.
    """

    resource: str
    some_ms: float
    full_ms: float | None


@dataclass(frozen=True, slots=True)
class DiskRates:
    """One whole disk: `busy` is the share of the window with a request under way, `wait_ms` the requests' own time.

    `flushes` are cache flushes, which is what fsync(2) comes to; None before Linux 5.5.
    Source: Documentation/admin-guide/iostats.rst in the kernel.
    """

    name: str
    busy: float
    requests: float
    bytes: float
    wait_ms: float
    flushes: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """Everything that two readings say, our own processes left out.

    `wakes` go to a sleeping vCPU from another one: of each vCPU, what its halts and its interrupts from other vCPUs
    have in common at most. `halted_ns` is how long a halt lasts on average. `run_wait_ms` is the time that tasks were
    runnable and did not run. `busiest_thread` is the largest share of the window that one thread was running.
    """

    seconds: float
    vcpus: tuple[VcpuRates, ...]
    context_switches: float | None
    halts: float | None
    wakes: float | None
    halted_ns: float | None
    programs: tuple[ProgramRates, ...]
    busiest_program: str
    busiest_thread: float
    full_threads: int
    run_wait_ms: float | None
    swap_in: float | None
    swap_out: float | None
    major_faults: float | None
    pressure: tuple[PressureRates, ...]
    disks: tuple[DiskRates, ...]
    blocked: tuple[str, ...]
    complete: bool
    page: int = 4096
    steal_reported: bool | None = None

    @property
    def iowait_ms(self) -> float:
        """Time that vCPUs idled while a task waited for a disk, ms a second: at least so long was waited."""
        return 1000.0 * sum(v.iowait for v in self.vcpus)

    @property
    def busy(self) -> float:
        """vCPUs in use."""
        return sum(v.busy for v in self.vcpus)

    @property
    def steal_ms(self) -> float:
        """Time that vCPUs wanted to run and did not, ms a second over all vCPUs."""
        return 1000.0 * sum(v.steal for v in self.vcpus)

    @property
    def fullest(self) -> VcpuRates | None:
        """The vCPU that is busiest."""
        return max(self.vcpus, key=lambda v: v.busy, default=None)

    def stalled_ms(self, resource: str) -> float | None:
        """How long some task stalled on `resource` (cpu, memory, io), ms a second; None where nobody can tell.

        The kernel brings its totals up to date every 2 s (kernel/sched/psi.c): a short window says nothing.
        """
        if self.seconds < PSI_SECONDS:
            return None
        return next((p.some_ms for p in self.pressure if p.resource == resource), None)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that all levers together could save at the machine's own rate.

    A hop is one wake-up: `halted_ns` where it finds a sleeping vCPU, `awake_ns` where it finds it awake, as measured
    here; `unknown` says why a figure is missing.
    """

    wakes: float | None
    halted_ns: float | None
    awake_ns: float | None
    unknown: str = ""
    hop_ns: float | None = None
    waiting_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One cause that was looked at: its waiting, whether it is over its bound, and what was seen, in words."""

    cause: WaitCause
    ms: float | None
    over: bool
    words: str


@dataclass(frozen=True, slots=True)
class Watch:
    """The answer to "is it IPC?". `stops` is whether another cause is larger, `why` the sentence that says so."""

    rates: Rates
    ceiling: Ceiling
    causes: tuple[Waiting, ...]
    cause: WaitCause
    why: str
    stops: bool
