"""How a machine is doing: its idle loop, steal, memory, control groups, pressure."""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Cgroup",
    "DeadlineHolder",
    "HaltpollModule",
    "HaltpollParameters",
    "HugePages",
    "Idle",
    "IdleState",
    "Jitter",
    "Memory",
    "Pressure",
    "Quota",
    "Steal",
    "StealHour",
]

HaltpollModule = Literal["loaded", "built-in", "module", "absent", "unknown"]


@dataclass(frozen=True, slots=True)
class HaltpollParameters:
    """Parameters of the haltpoll governor; times in ns.

    Source: Documentation/virt/guest-halt-polling.rst in the kernel.
    """

    guest_halt_poll_ns: int | None
    guest_halt_poll_shrink: int | None
    guest_halt_poll_grow: int | None
    guest_halt_poll_grow_start: int | None
    guest_halt_poll_allow_shrink: bool | None


@dataclass(frozen=True, slots=True)
class IdleState:
    """One cpuidle state of vCPU 0: µs to leave it, and time spent in it since boot (µs)."""

    index: int
    name: str
    latency_us: int | None
    time_us: int | None
    usage: int | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class DeadlineHolder:
    """A process that holds /dev/cpu_dma_latency open: a latency request for the whole machine."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class Idle:
    """How an idle vCPU waits.

    `driver` is None where the kernel has no cpuidle driver (plain HLT, or WFI on arm64).
    `latency_request_us` is the strictest request for the whole machine, as /dev/cpu_dma_latency
    reads: 2000000000 where nobody asks, None where it can't be read.
    `polled_vcpus` is what the vCPUs polled while `inspect` looked, in vCPUs; None where that was not looked at.
    `resume_latency` is what power/pm_qos_resume_latency_us of each vCPU says, as text.
    """

    driver: str | None
    governor: str | None
    governors: tuple[str, ...]
    governor_writable_path: bool
    haltpoll: HaltpollParameters | None
    states: tuple[IdleState, ...]
    poll_state_index: int | None
    haltpoll_module: HaltpollModule
    haltpoll_force: bool | None
    cpu_dma_latency: bool
    holders: tuple[DeadlineHolder, ...]
    holders_complete: bool
    resume_latency: dict[int, str]
    latency_request_us: int | None = None
    polled_vcpus: float | None = None

    @property
    def pm_qos_cpus(self) -> tuple[int, ...]:
        """vCPUs that have power/pm_qos_resume_latency_us.

        Source: Documentation/ABI/testing/sysfs-devices-power in the kernel.
        """
        return tuple(sorted(self.resume_latency))


@dataclass(frozen=True, slots=True)
class StealHour:
    """Steal in one past hour, as sysstat kept it. `hour` is "2026-03-01 20"."""

    hour: str
    percent: float


@dataclass(frozen=True, slots=True)
class Jitter:
    """Gaps in our own running, seen by a spin on one vCPU: in place of steal where none is told."""

    seconds: float
    gaps: int
    lost_percent: float
    longest_us: float


@dataclass(frozen=True, slots=True)
class Steal:
    """Steal in % of all vCPU time.

    `reported` is whether the hypervisor tells; if not, 0 means nothing. `kept` is whether sysstat
    keeps a history here.
    """

    reported: bool | None
    now_percent: float | None
    boot_percent: float | None
    hours: tuple[StealHour, ...]
    kept: bool
    jitter: Jitter | None


@dataclass(frozen=True, slots=True)
class HugePages:
    """Reserved huge pages of one size, in pages."""

    bytes: int
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory and swap, in bytes."""

    total: int | None
    available: int | None
    free: int | None
    shared: int | None
    swap_total: int | None
    swap_free: int | None
    swappiness: int | None
    thp: str | None
    thp_shmem: str | None
    huge: tuple[HugePages, ...]
    page: int = 4096


@dataclass(frozen=True, slots=True)
class Quota:
    """One own cgroup limit, the tightest on the way up. `value` is None for no limit."""

    name: str
    text: str
    value: float | None
    unit: str
    path: str


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Control groups: `versions` in use, the paths of this process, the limits that hold for it.

    `v2_controllers` are those the v2 root offers: a mounted v2 without cpu or memory limits
    nothing.
    """

    versions: tuple[int, ...]
    paths: dict[str, str]
    v2_controllers: tuple[str, ...]
    limits: tuple[Quota, ...]


@dataclass(frozen=True, slots=True)
class Pressure:
    """Pressure stall information: % of the last 10 and 300 s.

    Source: Documentation/accounting/psi.rst in the kernel.
    """

    resource: str
    some_avg10: float
    some_avg300: float
    full_avg10: float | None
    full_avg300: float | None
