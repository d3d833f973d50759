"""What is known about a machine: frozen values, read once and never changed.

`None` in a field means unknown; `Host.unseen` says why. Times are ns or µs as the names say,
memory is bytes.
"""

from dataclasses import dataclass, field

from ipctune.host.model_machine import (
    BootParameter,
    Cache,
    Clock,
    Container,
    Cpus,
    FileSetting,
    Hypervisor,
    Kernel,
    KvmFeatures,
    Limit,
    OsRelease,
    Privileges,
    Scope,
    Unseen,
)
from ipctune.host.model_state import (
    Cgroup,
    DeadlineHolder,
    HaltpollModule,
    HaltpollParameters,
    HugePages,
    Idle,
    IdleState,
    Jitter,
    Memory,
    Pressure,
    Quota,
    Steal,
    StealHour,
)
from ipctune.host.model_tax import Audit, BpfProgram, Tax

__all__ = [
    "Audit",
    "BootParameter",
    "BpfProgram",
    "Cache",
    "Cgroup",
    "Clock",
    "Container",
    "Cpus",
    "DeadlineHolder",
    "FileSetting",
    "HaltpollModule",
    "HaltpollParameters",
    "Host",
    "HugePages",
    "Hypervisor",
    "Idle",
    "IdleState",
    "Jitter",
    "Kernel",
    "KvmFeatures",
    "Limit",
    "Memory",
    "OsRelease",
    "Pressure",
    "Privileges",
    "Quota",
    "Scope",
    "Steal",
    "StealHour",
    "Tax",
    "Unseen",
]


@dataclass(frozen=True, slots=True)
class Host:
    """Everything that is known about one machine, or about a recorded one (`recorded`)."""

    hostname: str | None
    boot_id: str | None
    recorded: bool
    uptime_s: float | None
    os: OsRelease
    kernel: Kernel
    hypervisor: Hypervisor
    container: Container
    cpus: Cpus
    clock: Clock
    idle: Idle
    steal: Steal
    memory: Memory
    cgroup: Cgroup
    pressure: tuple[Pressure, ...]
    privileges: Privileges
    limits: dict[str, Limit]
    settings: tuple[FileSetting, ...]
    systemd: bool
    core: bool
    unseen: tuple[Unseen, ...] = field(default=())
    tax: Tax = field(default_factory=Tax)
