"""The physical limits of this machine, to print beside results: nothing here can be faster than these."""

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ipctune.bench.core import ask
from ipctune.bench.decode import MalformedError, decode
from ipctune.errors import IpctuneError

__all__ = ["DEFAULT_SIZES", "MOST_SIZES", "TAKES_S", "Limits", "limits"]

DEFAULT_SIZES = tuple(64 * 4**n for n in range(10))
"""Bytes of the copies that are always timed: 64 B to 16 MiB."""
MOST_SIZES = 64
"""So many the core takes at once."""
TAKES_S = 0.4


@dataclass(frozen=True, slots=True)
class Limits:
    """What `ipctune-core limits` measured, in ns: the least of short repeats, of wakes the median. None is unknown.

    `clock_ns`: reading the clock. `syscall_ns`: the cheapest system call, getppid(2). `cache_line_ns`: a cache line
    there and back between the vCPUs `cpus`. `context_switch_ns`: from one process to another on one vCPU, the calls
    that lead to it taken off. `wake_ns`: pairs of an idle time and the wake after it, from before the waker's call on
    one vCPU until the sleeper runs on the other. `page_fault_ns`, `memfd_fault_ns`: the first touch of an anonymous
    page and of one of a memfd. `memcpy`: pairs of bytes and the time of a copy between warm buffers. What takes two
    vCPUs is None where one is allowed. `unknown` says why nothing is known.
    """

    clock_ns: float | None = None
    syscall_ns: float | None = None
    cache_line_ns: float | None = None
    context_switch_ns: float | None = None
    wake_ns: tuple[tuple[int, float], ...] | None = None
    page_fault_ns: float | None = None
    memfd_fault_ns: float | None = None
    memcpy: tuple[tuple[int, float], ...] = ()
    cpus: tuple[int, int] | None = None
    unknown: str = ""

    def copy_ns(self, size: int) -> float | None:
        """One copy of `size` bytes: measured, or between two measured sizes along a line in both logarithms.

        A smaller one than was measured counts as the smallest, of which most is the call; in a larger one a byte takes
        as long as in the largest.
        """
        known = sorted((bytes_, ns) for bytes_, ns in self.memcpy if bytes_ > 0 and ns > 0)
        if not known:
            return None
        at = bisect_left(known, size, key=lambda pair: pair[0])
        if at == 0:
            return known[0][1]
        if at == len(known):
            return known[-1][1] * size / known[-1][0]
        return _between(known[at - 1], known[at], size)


def limits(*, cpus: tuple[int, int] | None = None, sizes: Iterable[int] = (), core: str | Path | None = None) -> Limits:
    """Measure them, in about `TAKES_S`: between two vCPUs (default: the first two) and with copies of `sizes` as well.

    Raises what `bench.core.ask` raises.
    """
    wanted = sorted({*DEFAULT_SIZES, *sizes})[:MOST_SIZES]
    words = ["--sizes", ",".join(map(str, wanted))]
    if cpus is not None:
        words += ["--cpus", f"{cpus[0]},{cpus[1]}"]
    try:
        return decode(Limits, ask("limits", *words, core=core))
    except MalformedError as error:
        raise IpctuneError(f"the measuring core's answer is corrupt: {error}") from None


def _between(below: tuple[int, float], above: tuple[int, float], size: int) -> float:
    share = math.log(size / below[0]) / math.log(above[0] / below[0])
    return float(below[1] * (above[1] / below[1]) ** share)
