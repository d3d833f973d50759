"""What a machine's facts mean to its owner: the shape of a finding and of advice that would harm here."""

from dataclasses import dataclass, field
from typing import Literal

from ipctune.host.model import Host
from ipctune.host.model_watch import Watch

__all__ = ["Advice", "Finding", "Inspection", "Severity"]

Severity = Literal["fix", "know"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to fix, or to know. `rank` orders findings: higher comes first.

    `what` is one line, `why` says what it means here, `todo` what to do about it (commands as typed).
    `limit` is the name of the limit that it is about, if any; "kernel.sem" is all four of its values.
    """

    id: str
    severity: Severity
    topic: str
    what: str
    why: str
    todo: str
    rank: int = 0
    limit: str = field(default="")


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice that guides repeat and that would make this machine worse: what it says, what it would do here."""

    key: str
    said: str
    here: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `ipctune inspect` shows. `fine` counts the limits that are known and have no finding.

    `watch` is what the machine's own programs did, where it was asked for.
    """

    host: Host
    findings: tuple[Finding, ...]
    not_to_do: tuple[Advice, ...]
    fine: int
    version: int = 1
    watch: Watch | None = None

    @property
    def to_fix(self) -> tuple[Finding, ...]:
        """Findings that something should be done about."""
        return tuple(finding for finding in self.findings if finding.severity == "fix")

    @property
    def to_know(self) -> tuple[Finding, ...]:
        """Findings that explain something."""
        return tuple(finding for finding in self.findings if finding.severity == "know")
