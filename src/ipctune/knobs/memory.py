"""Knobs of memory that act over hours: advice from facts of the host, never a verdict of seconds.

They can be set, verified and restored like any other; no run tries them by itself.
Sources: Documentation/admin-guide/sysctl/vm.rst, mm/transhuge.rst, mm/hugetlbpage.rst in the kernel.
"""

from collections.abc import Sequence

from ipctune.host.model import Host, HugePages
from ipctune.knobs.limits import sysctl_path
from ipctune.knobs.model import Cause, Hints, Lasting
from ipctune.knobs.single import file_knob
from ipctune.knobs.words import ChoicePart

__all__ = ["KNOBS"]

_PRESSED = 1.0  # % of five minutes in which some task waited for memory
_SWAPPED = 0.05  # of the swap
_LARGE = 64 << 20  # bytes of one segment from which its page table begins to show
_LESS = 10  # still lets anonymous memory go before the OOM killer comes, which 0 may not
_SHARE = 4  # at most this part of what is available is reserved


def _pressed(host: Host) -> bool:
    """Whether memory is short now and some of it lies in the swap: without that swappiness does nothing."""
    total, free = host.memory.swap_total or 0, host.memory.swap_free or 0
    waits = any(p.resource == "memory" and p.some_avg300 >= _PRESSED for p in host.pressure)
    return waits and total > 0 and (total - free) / total >= _SWAPPED


def _less_swap(host: Host, _hints: Hints) -> Sequence[str]:
    now = host.memory.swappiness
    return (str(_LESS),) if _pressed(host) and now is not None and now > _LESS else ()


def _largest(host: Host) -> int:
    segment = host.limits.get("kernel.shmmax")
    return segment.use or 0 if segment else 0


def _shmem_pages(host: Host, _hints: Hints) -> Sequence[str]:
    large = max(_largest(host), host.memory.shared or 0) >= _LARGE
    return ("advise",) if large and host.memory.thp_shmem == "never" else ()


def _default_size(host: Host) -> HugePages | None:
    return next((size for size in host.memory.huge if size.bytes in (2 << 20, 1 << 20)), None)


def _reserved(host: Host, _hints: Hints) -> Sequence[str]:
    size = _default_size(host)
    if size is None:
        return ()
    if size.total > 0:
        return ("0",) if size.free == size.total else ()
    wanted = -(-_largest(host) // size.bytes)
    fits = wanted * size.bytes <= (host.memory.available or 0) // _SHARE
    return (str(wanted),) if fits and _largest(host) >= _LARGE else ()


KNOBS = (
    file_knob(
        "vm.swappiness",
        sysctl_path("vm.swappiness"),
        title="how readily anonymous and shared memory is swapped",
        helps=Cause.SWAP,
        texts=_less_swap,
        why_not=lambda _host: "no swap in use under pressure: it would do nothing",
        price="the file cache shrinks instead",
        reach="every program outside a cgroup v1 that has its own, at the next reclaim",
        source="Documentation/admin-guide/sysctl/vm.rst",
        lasting=Lasting.SYSCTL,
        needs_history=True,
    ),
    file_knob(
        "shmem-huge-pages",
        "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
        part="shmem_enabled",
        make=ChoicePart,
        title="transparent huge pages for shared memory",
        helps=Cause.PAGE_FAULTS,
        texts=_shmem_pages,
        why_not=lambda _host: "no large shared memory, or not `never` now",
        price="memory in steps of a huge page, where the program asks for them",
        reach="memfd and System V segments that are made afterwards and ask by madvise(2)",
        source="Documentation/admin-guide/mm/transhuge.rst",
        since=(4, 8),
        needs_history=True,
    ),
    file_knob(
        "vm.nr_hugepages",
        sysctl_path("vm.nr_hugepages"),
        title="huge pages that are reserved",
        helps=Cause.PAGE_FAULTS,
        texts=_reserved,
        why_not=lambda _host: "no large System V segment, or the reserved pages are in use",
        price="what is reserved is lost to everything else; where memory is in pieces, fewer are given",
        reach="programs that ask for them (SHM_HUGETLB, MFD_HUGETLB), on their next start",
        source="Documentation/admin-guide/mm/hugetlbpage.rst",
        lasting=Lasting.SYSCTL,
        needs_history=True,
    ),
)
