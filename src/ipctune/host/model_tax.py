"""What stands in the way of every system call."""

from dataclasses import dataclass, field

__all__ = ["Audit", "BpfProgram", "Tax"]


@dataclass(frozen=True, slots=True)
class BpfProgram:
    """One loaded eBPF program of a kind that can run at system calls.

    `at` is its raw tracepoint where that is known, `holder` the command and pid that hold it open, `run_ns` what a
    run takes by the kernel's own count (0 runs, or kernel.bpf_stats_enabled off: None).
    """

    id: int | None
    type: str
    name: str
    at: str
    holder: str
    run_ns: float | None


@dataclass(frozen=True, slots=True)
class Audit:
    """The kernel's audit: whether it is on, its rules, and the pid that takes its records. None: unknown, or nobody."""

    enabled: bool
    rules: int | None
    daemon: int | None


@dataclass(frozen=True, slots=True)
class Tax:
    """`programs_complete`: whether bpf(2) told all of them; `audit` is None where it could not be asked.

    `filtered` are commands of processes under seccomp filters and how many filters the deepest has (0: not told);
    `flaws` the CPU flaws that the kernel knows and what it does about each, in its words.
    """

    programs: tuple[BpfProgram, ...] = ()
    programs_complete: bool = False
    audit: Audit | None = None
    filtered: dict[str, int] = field(default_factory=dict)
    flaws: dict[str, str] = field(default_factory=dict)
