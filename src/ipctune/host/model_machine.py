"""What a machine is: platform, kernel, vCPUs, privileges, limits."""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BootParameter",
    "Cache",
    "Clock",
    "Container",
    "Cpus",
    "FileSetting",
    "Hypervisor",
    "Kernel",
    "KvmFeatures",
    "Limit",
    "OsRelease",
    "Privileges",
    "Scope",
    "Unseen",
]

Scope = Literal["host", "ipc-namespace", "network-namespace", "process", "user", "mount"]


@dataclass(frozen=True, slots=True)
class OsRelease:
    """The distribution, from os-release(5)."""

    id: str | None
    version: str | None
    name: str


@dataclass(frozen=True, slots=True)
class BootParameter:
    """One parameter of the kernel's boot command line, secrets and addresses left out.

    `upstream` is what upstream's kernel has without it and `meaning` what that changes; both are
    empty where we don't know the parameter.
    """

    name: str
    value: str | None
    upstream: str = ""
    meaning: str = ""

    @property
    def known(self) -> bool:
        """Whether the parameter is one that matters to idle, wake-ups, scheduling, clock or IPC."""
        return bool(self.meaning)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The running kernel. `version` is comparable: (6, 8, 0); (0,) where unknown."""

    release: str
    version: tuple[int, ...]
    build: str
    machine: str
    boot: tuple[BootParameter, ...]
    tainted: int | None = None


@dataclass(frozen=True, slots=True)
class KvmFeatures:
    """What CPUID leaf 0x40000001 offers a KVM guest.

    Source: Documentation/virt/kvm/x86/cpuid.rst in the kernel.
    """

    steal_time: bool | None
    poll_control: bool | None
    pv_ipi: bool | None
    realtime: bool | None


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """What the kernel runs on: `name` is "KVM", "Xen", "Hyper-V", …, "none" or None for unknown."""

    name: str | None
    vendor: str | None
    evidence: tuple[str, ...]
    kvm: KvmFeatures | None
    product: str | None = None

    @property
    def virtual(self) -> bool | None:
        """Whether a hypervisor is below the kernel; None where nothing says."""
        return None if self.name is None else self.name != "none"


@dataclass(frozen=True, slots=True)
class Container:
    """What this process is shut in: "docker", "lxc", "openvz", …, or None for no container."""

    name: str | None
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """One cache as vCPU 0 sees it; `shared` are the vCPUs behind it. On a VPS: the host's claim."""

    level: int
    type: str
    bytes: int
    shared: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cpus:
    """vCPUs: `allowed` are those this process may use. Topology is what the hypervisor shows.

    `cores` are (package, core id, vCPUs) triples.
    """

    online: tuple[int, ...]
    allowed: tuple[int, ...]
    model: str | None
    sockets: int | None
    cores: tuple[tuple[int, int, tuple[int, ...]], ...]
    smt: bool | None
    nodes: int | None
    caches: tuple[Cache, ...]
    frequency_driver: str | None = None
    frequency_governor: str | None = None
    isolated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock source and what reading it costs, in ns a call, as measured by the core."""

    source: str | None
    available: tuple[str, ...]
    monotonic_ns: float | None
    syscall_ns: float | None


@dataclass(frozen=True, slots=True)
class Privileges:
    """What this process may do. `caps` are effective capabilities: {"CAP_SYS_ADMIN", …}."""

    euid: int | None
    caps: frozenset[str]
    bounding: frozenset[str]
    lsm: tuple[str, ...]
    lockdown: str | None
    no_new_privileges: bool | None
    seccomp: int | None
    user_namespaces: bool | None
    unprivileged_bpf: int | None
    initial_user_namespace: bool | None
    sysctl_writable: bool | None

    @property
    def root(self) -> bool:
        """Whether the effective user is 0 (in its own user namespace)."""
        return self.euid == 0

    def has(self, cap: str) -> bool:
        """Whether the capability, such as "CAP_SYS_ADMIN", is effective."""
        return cap in self.caps


@dataclass(frozen=True, slots=True)
class FileSetting:
    """A line of a configuration file that sets a sysctl at boot. `owner` is "sysctl" or "tuned"."""

    key: str
    value: str
    file: str
    line: int
    owner: str = "sysctl"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit on IPC, its value, and how much of it is used.

    `upstream` is the kernel's own default where that is one number. `who` names the user of most
    of it. `estimated` says that the use is worked out, not counted. `peak` is the largest use seen and
    `refusals` how often it was refused, where the kernel counts them (OpenVZ does).
    """

    name: str
    value: int | None
    unit: str
    scope: Scope
    use: int | None = None
    unlimited: bool = False
    hard: int | None = None
    upstream: int | None = None
    effect: str = ""
    who: str = ""
    estimated: bool = False
    peak: int | None = None
    refusals: int | None = None

    @property
    def headroom(self) -> int | None:
        """What is left, never below 0; None where value or use is unknown or nothing limits."""
        if self.unlimited or self.value is None or self.use is None:
            return None
        return max(0, self.value - self.use)

    @property
    def full(self) -> float | None:
        """The used share, 0 to 1 and above; None where it can't be told."""
        if self.unlimited or not self.value or self.use is None or self.value < 0:
            return None
        return self.use / self.value


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be read: which file or fact, and why."""

    what: str
    why: str
