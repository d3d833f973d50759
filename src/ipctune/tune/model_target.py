"""The process that a user names to `tune`, and the limits that it has hit: frozen values."""

from dataclasses import dataclass

__all__ = ["Hit", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A process that the user named: `start` in clock ticks after boot, `service` its unit or container ("" for none),
    `own_spaces` the kinds of namespaces (ipc, net) that it does not share with us.
    """

    pid: int
    start: int
    program: str
    service: str = ""
    own_spaces: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """`process 4242 (redis-server, redis.service)`."""
        return f"process {self.pid} ({self.program}{', ' if self.service else ''}{self.service})"


@dataclass(frozen=True, slots=True)
class Hit:
    """A limit of the target's namespaces that was hit, or nearly: what has to pass, in the limit's unit, and why."""

    limit: str
    asked: int
    why: str
