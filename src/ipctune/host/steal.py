"""Steal: time that a vCPU wanted to run and the hypervisor did not let it (proc_stat(5))."""

from collections import defaultdict
from collections.abc import Iterable

from ipctune.host.core import Facts
from ipctune.host.model import Hypervisor, Jitter, Steal, StealHour
from ipctune.host.root import Root
from ipctune.host.text import number

__all__ = ["percent", "read_steal"]

_SILENT = ("none", "Hyper-V")  # Hyper-V has no steal clock for its guests: 0 for ever
_COLUMNS = 8
_STEAL = 7
_SA = (("/var/log/sysstat", "sa[0-9]*"), ("/var/log/sa", "sa[0-9]*"))


def read_steal(root: Root, facts: Facts, hypervisor: Hypervisor) -> Steal:
    """Steal now, since boot and by hour; own jitter where the core measured it."""
    boot = percent("", _first(root.text("/proc/stat", 1 << 20)))
    looks = facts.dig("observed", "stat")
    now = percent(*looks) if isinstance(looks, list) and len(looks) == 2 else None
    return Steal(
        reported=_reported(hypervisor, boot),
        now_percent=now,
        boot_percent=boot,
        hours=_hours(facts.dig("observed", "sadf")),
        kept=any(root.names(folder, pattern) for folder, pattern in _SA),
        jitter=_jitter(facts),
    )


def percent(before: object, after: object) -> float | None:
    """Steal between two `cpu` lines of /proc/stat, in % of all time; None where no time went by."""
    first, last = _times(before), _times(after)
    if last is None:
        return None
    spent = [b - a for a, b in zip(first or [0] * _COLUMNS, last, strict=True)]
    total = sum(spent)
    return None if total <= 0 else round(max(0.0, 100.0 * spent[_STEAL] / total), 2)


def _first(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _times(line: object) -> list[int] | None:
    words = line.split() if isinstance(line, str) else []
    values = [number(word) for word in words[1 : _COLUMNS + 1]]
    known = [value for value in values if value is not None]
    return known if words and words[0] == "cpu" and len(known) == _COLUMNS else None


def _reported(hypervisor: Hypervisor, boot: float | None) -> bool | None:
    if boot:
        return True
    if hypervisor.name == "Xen":
        return True
    if hypervisor.name in _SILENT:
        return False
    return hypervisor.kvm.steal_time if hypervisor.kvm else None


def _hours(rows: object) -> tuple[StealHour, ...]:
    samples: dict[str, list[float]] = defaultdict(list)
    for row in rows if isinstance(rows, Iterable) and not isinstance(rows, str | bytes) else ():
        hour = row.get("hour") if isinstance(row, dict) else None
        steal = row.get("steal") if isinstance(row, dict) else None
        if isinstance(hour, str) and isinstance(steal, int | float) and not isinstance(steal, bool):
            samples[hour].append(float(steal))
    return tuple(StealHour(hour, round(sum(s) / len(s), 2)) for hour, s in sorted(samples.items()))


def _jitter(facts: Facts) -> Jitter | None:
    seconds = facts.value(float, "jitter", "seconds")
    gaps = facts.value(int, "jitter", "gaps")
    lost = facts.value(float, "jitter", "lost_percent")
    longest = facts.value(float, "jitter", "longest_us")
    if seconds is None or gaps is None or lost is None or longest is None:
        return None
    return Jitter(seconds, gaps, lost, longest)
