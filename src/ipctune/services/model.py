"""What is known about the services of a machine: frozen values. Memory is bytes, `None` is unknown."""

from dataclasses import dataclass
from typing import Literal

from ipctune.host.finding import Finding
from ipctune.host.model import Unseen

__all__ = ["Holder", "Kind", "Object", "ObjectKind", "Pair", "Report", "Service", "Use"]

Kind = Literal["unit", "container", "program"]
ObjectKind = Literal["shm-segment", "msg-queue", "sem-array", "posix-shm", "posix-queue"]


@dataclass(frozen=True, slots=True)
class Service:
    """What a process belongs to: a systemd unit, a container, or nothing but its own program's name."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has something open, mapped or bound."""

    pid: int
    program: str
    service: Service

    @property
    def label(self) -> str:
        """`postgres (container pg)`, `php-fpm8.3 (php8.3-fpm.service)`, `celery`."""
        kind, name = self.service.kind, self.service.name
        if kind == "program":
            return self.program
        return f"{self.program} ({'container ' if kind == 'container' else ''}{name})"


@dataclass(frozen=True, slots=True)
class Use:
    """One limit of one service (or user, or namespace): how much is used of how much.

    `limit` names the limit: a sysctl, RLIMIT_…, `/dev/shm`, `listen queue`, `datagram queue`, `ephemeral ports`.
    `what` is the object: a socket's address, a user, a queue. `value` is None where nothing limits or it is unknown
    (`unlimited` tells which). `peak` is the most that was seen, or that is known to have been. `full_looks` of `looks`
    looks found it full. `place` is the namespace where it is not our own. `effect` says for what a new value counts.
    """

    limit: str
    what: str
    use: int | None
    value: int | None
    unit: str
    holder: Holder | None = None
    peak: int | None = None
    effect: str = ""
    place: str = ""
    looks: int = 0
    full_looks: int = 0
    unlimited: bool = False
    estimated: bool = False

    @property
    def full(self) -> float:
        """The used share at its peak, 0 to 1 and above; 0 where it can't be told."""
        most = max(self.use or 0, self.peak or 0)
        share = most / self.value if self.value and not self.unlimited else 0.0
        return max(share, 1.0) if self.full_looks else share


@dataclass(frozen=True, slots=True)
class Object:
    """One named IPC object. `id` is what `--clean-orphans` takes: `sem:4`, `shm:NAME`.

    `amount` counts messages (queues), semaphores (arrays) or attachments (segments). `holders` have it open, mapped
    or attached; None where that can't be told. `orphan` is set where nobody seen alive is its user, and `remove`
    is the command that removes it.
    """

    kind: ObjectKind
    id: str
    name: str
    uid: int
    user: str
    bytes: int | None = None
    amount: int | None = None
    holders: tuple[Holder, ...] | None = None
    place: str = ""
    age_s: float | None = None
    orphan: bool = False
    remove: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ends that talk over `count` pipes, Unix connections or loopback TCP connections; `what` is the address."""

    kind: Literal["pipe", "unix", "tcp"]
    a: Holder
    b: Holder
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """What `ipctune services` shows; `uses` and `findings` have the fullest, the most urgent, first.

    `looks` is how often the queues were looked at, over `seconds`.
    """

    services: tuple[Service, ...]
    uses: tuple[Use, ...]
    objects: tuple[Object, ...]
    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]
    looks: int
    seconds: float
    version: int = 1
