"""What a knob is: what it sets, how it is read, written, restored and made to last, and what it costs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from ipctune.host.model import Host

__all__ = [
    "Candidates",
    "Cause",
    "Hints",
    "Kind",
    "Knob",
    "Lasting",
    "Mortal",
    "Part",
    "Parts",
    "Scope",
    "Value",
    "is_gone",
    "normal",
]

Value = Mapping[str, str]
"""What a knob is set to: the name of each of its parts, and that part's text."""


class Cause(StrEnum):
    """The named bottlenecks that a knob can help."""

    HALTED_WAKE = "halted-wake"
    FULL_QUEUE = "full-queue"
    COPYING = "copying"
    RUN_QUEUE = "run-queue-wait"
    REFUSED = "refused"
    SWAP = "swap"
    PAGE_FAULTS = "page-faults"


class Scope(StrEnum):
    """How far a setting reaches."""

    PROCESS = "process"
    CGROUP = "cgroup"
    IPC_NAMESPACE = "IPC namespace"
    NET_NAMESPACE = "network namespace"
    HOST = "host"


class Kind(StrEnum):
    """How a knob is applied, and so how it comes back."""

    FILES = "files"  # text in files of /proc and /sys: the journal restores it
    LEASE = "lease"  # held by a descriptor or process of ours: ends by itself
    LIVE = "live"  # an object of a process that the user names: the journal restores it while that is there
    OPTION = "option"  # belongs to a program: ends as advice
    LIMIT = "limit"  # a ceiling, judged by the refusal that it removes, never timed
    ADVICE = "advice"  # can't be tried while the machine runs


class Lasting(StrEnum):
    """The conventional means that makes a setting last over a reboot."""

    SYSCTL = "sysctl.d"
    TMPFILES = "tmpfiles.d"
    MODULE = "modules-load.d"
    UNIT = "systemd unit"
    NONE = "none"


class Part(Protocol):
    """One thing of a knob that is read and written on its own."""

    @property
    def where(self) -> str:
        """What a user would look at: a path, or a module's name."""

    def read(self) -> str | None:
        """The present text (white space normalised), or None where it can't be read."""

    def write(self, text: str) -> None:
        """Set it. Raises NotPossible with the kernel's reason."""

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """Lines of sh that restore `original` if the present text is one of `ours` (None: if it is any other)."""


@runtime_checkable
class Mortal(Protocol):
    """A part of what can end before us: a process's pipe, a namespace."""

    def is_gone(self) -> bool:
        """Whether there is nothing left to restore."""


def is_gone(part: Part | None) -> bool:
    """Whether the part has ended with what it belonged to."""
    return isinstance(part, Mortal) and part.is_gone()


Parts = Mapping[str, Part]
Hints = Mapping[str, str]
"""What the evidence suggests to a knob, e.g. `{"poll_ns": "150000", "size": "65536"}`."""

Candidates = Callable[[Host, Hints], Sequence[Value]]
Lease = Callable[[Value], AbstractContextManager[object]]


def _no_parts() -> Parts:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One thing that can be set; coupled values are one knob.

    `candidates` returns the values worth trying on this host, best first, and none where the knob does not
    exist there; `why_not` then says why in words. `settle` is in seconds: how long after a write a
    measurement means something. `since` is the first kernel that has it. `needs_history`: it acts on what
    happens over hours, so that a trial of seconds says nothing about it; it is advice, from facts of the host.
    `memory`: bytes that a value takes at most for each object, where it takes any.
    `of_target`: it is about a process that the user names, and `elsewhere` says, for a value, what makes that last.
    """

    id: str
    title: str
    kind: Kind
    scope: Scope
    helps: frozenset[Cause]
    candidates: Candidates
    why_not: Callable[[Host], str]
    price: str
    reach: str
    source: str
    parts: Callable[[], Parts] = field(default=_no_parts)
    lease: Lease | None = None
    lasting: Lasting = Lasting.NONE
    settle: float = 0.0
    since: tuple[int, int] = (0, 0)
    always_polls: bool = False
    undo: str = "restored"
    not_tried: str = ""
    needs_history: bool = False
    memory: Callable[[Value], int] | None = None
    of_target: bool = False
    elsewhere: Callable[[Value], str] | None = None

    @property
    def advice_only(self) -> bool:
        """Whether a run names it at most, and never tries it."""
        return self.kind is Kind.ADVICE or self.needs_history

    def describe(self, value: Value) -> str:
        """The value in one short text: `200000`, or `a=1 b=2` where there are several parts that differ."""
        texts = list(value.values())
        if len(set(texts)) == 1:
            return texts[0]
        return " ".join(f"{name.rpartition(':')[2]}={text}" for name, text in value.items())


def normal(text: str) -> str:
    """White space as one blank, so that `250\\t32000` and `250 32000` are the same value."""
    return " ".join(text.split())
