"""The machine's limits below the figures of `ipctune bench`: two lines, one on the quick screen."""

from collections.abc import Iterator

from ipctune.bench.limits import Limits
from ipctune.report.figures import folded
from ipctune.report.plot import time_text

__all__ = ["limit_lines", "multiple"]

_COPY = 64 << 10  # the copy that is named: it shows more of the caches than of the call
_WHAT = "×min: the median (of a stream, the time a message) over the least possible here"


def limit_lines(limits: Limits | None, *, quick: bool) -> list[str]:
    """`limits here: …`; nothing where no limit is known or none was looked for."""
    if limits is None:
        return []
    if limits.unknown:
        return folded(f"limits unknown: {limits.unknown}", indent="")
    told = list(_pairs(limits)) if quick else [*_calls(limits), *_pairs(limits), *_memory(limits)]
    if not told:
        return []
    return folded(f"limits here: {', '.join(told)}", indent="") + ([] if quick else [_WHAT])


def multiple(times: float | None) -> str:
    """A multiple in four characters at most: `1.2`, `87`, `412`, `12k`; `-` where it is unknown."""
    if times is None:
        return "-"
    if times >= 9999.5:
        return f"{times / 1000:.0f}k" if times < 999_500 else ">1M"
    return f"{times:.1f}" if times < 9.95 else f"{times:.0f}"


def _calls(limits: Limits) -> Iterator[str]:
    if limits.syscall_ns is not None:
        yield f"getppid {time_text(limits.syscall_ns)}"
    if limits.clock_ns is not None:
        yield f"clock {time_text(limits.clock_ns)}"


def _pairs(limits: Limits) -> Iterator[str]:
    if limits.cache_line_ns is not None:
        yield f"cache line RT {time_text(limits.cache_line_ns)}"
    if limits.context_switch_ns is not None:
        yield f"switch {time_text(limits.context_switch_ns)}"
    if limits.wake_ns:
        yield f"wake {time_text(limits.wake_ns[-1][1])}"


def _memory(limits: Limits) -> Iterator[str]:
    memfd = "" if limits.memfd_fault_ns is None else f" (memfd {time_text(limits.memfd_fault_ns)})"
    if limits.page_fault_ns is not None:
        yield f"fault {time_text(limits.page_fault_ns)}{memfd}"
    copy = limits.copy_ns(_COPY)
    if copy is not None:
        yield f"memcpy 64K {time_text(copy)}"
