"""Memory, swap, huge pages and pressure (proc_meminfo(5), kernel: Documentation/accounting/psi.rst)."""

from ipctune.host.core import Facts
from ipctune.host.model import HugePages, Memory, Pressure
from ipctune.host.root import Root
from ipctune.host.text import fields, number, pairs, size

__all__ = ["read_memory", "read_pressure"]

_THP = "/sys/kernel/mm/transparent_hugepage"
_HUGE = "/sys/kernel/mm/hugepages"
_PRESSURE = ("cpu", "memory", "io")


def read_memory(root: Root, facts: Facts) -> Memory:
    """Memory in bytes, swap, and how huge pages are used."""
    told = pairs(root.text("/proc/meminfo"))
    return Memory(
        total=size(told.get("MemTotal")),
        available=size(told.get("MemAvailable")),
        free=size(told.get("MemFree")),
        shared=size(told.get("Shmem")),
        swap_total=size(told.get("SwapTotal")),
        swap_free=size(told.get("SwapFree")),
        swappiness=number(root.text("/proc/sys/vm/swappiness")),
        thp=chosen(root.text(f"{_THP}/enabled")),
        thp_shmem=chosen(root.text(f"{_THP}/shmem_enabled")),
        huge=_huge(root),
        page=facts.value(int, "observed", "page") or 4096,
    )


def read_pressure(root: Root) -> tuple[Pressure, ...]:
    """Pressure of cpu, memory and io; empty where the kernel keeps none."""
    found = (_pressure(name, root.text(f"/proc/pressure/{name}")) for name in _PRESSURE)
    return tuple(one for one in found if one is not None)


def chosen(text: str | None) -> str | None:
    """The word in brackets of `always [madvise] never`."""
    return next((w[1:-1] for w in (text or "").split() if w[0] == "[" and w[-1] == "]"), None)


def _huge(root: Root) -> tuple[HugePages, ...]:
    found: list[HugePages] = []
    for name in root.names(_HUGE, "hugepages-*kB"):
        page = size(name.removeprefix("hugepages-"))
        total = number(root.text(f"{_HUGE}/{name}/nr_hugepages"))
        free = number(root.text(f"{_HUGE}/{name}/free_hugepages"))
        if page is not None and total is not None and free is not None:
            found.append(HugePages(page, total, free))
    return tuple(sorted(found, key=lambda one: one.bytes))


def _pressure(resource: str, text: str | None) -> Pressure | None:
    lines = {row[0]: dict(word.partition("=")[::2] for word in row[1:]) for row in fields(text)}
    some, full = lines.get("some", {}), lines.get("full", {})
    some10, some300 = _share(some.get("avg10")), _share(some.get("avg300"))
    if some10 is None or some300 is None:
        return None
    return Pressure(resource, some10, some300, _share(full.get("avg10")), _share(full.get("avg300")))


def _share(text: str | None) -> float | None:
    whole, _, part = (text or "").partition(".")
    if number(whole) is None or (part and number(part) is None):
        return None
    return float(f"{whole}.{part or 0}")
