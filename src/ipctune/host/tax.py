"""What stands in the way of every system call: eBPF programs, audit, seccomp filters, mitigations of CPU flaws."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from ipctune.host.core import Facts
from ipctune.host.model import Audit, BpfProgram, Tax
from ipctune.host.processes import Processes
from ipctune.host.root import Root
from ipctune.host.text import number

__all__ = ["read_tax"]

_FLAWS = "/sys/devices/system/cpu/vulnerabilities"
_LONGEST = 200

T = TypeVar("T", int, float, str)


def read_tax(root: Root, facts: Facts, processes: Processes) -> Tax:
    """From bpf(2) and netlink where they answered, from /proc otherwise; mitigations as the kernel words them."""
    told = facts.dig("observed", "bpf")
    return Tax(
        programs=tuple(_programs(told if isinstance(told, list) else [], processes)),
        programs_complete=isinstance(told, list),
        audit=_audit(facts),
        filtered=processes.filtered,
        flaws=_flaws(root),
    )


def _programs(told: list[object], processes: Processes) -> Iterator[BpfProgram]:
    """What bpf(2) told, with the process that holds it; then what only an open descriptor shows."""
    held = {one.id: one for one in processes.programs if one.id is not None}
    known: set[int | None] = set()
    for row in told:
        if isinstance(row, Mapping):
            ident = _of(row, "id", int)
            there = held.get(ident) if ident is not None else None
            at = _of(row, "at", str) or (there.at if there else "")
            spent = _of(row, "ns", float)
            name, kind = _of(row, "name", str) or "", _of(row, "type", str) or ""
            known.add(ident)
            yield BpfProgram(
                ident, kind[:_LONGEST], name[:_LONGEST], at[:_LONGEST], there.holder if there else "", spent
            )
    yield from (one for one in processes.programs if one.id not in known)


def _of(row: Mapping[object, object], key: str, kind: type[T]) -> T | None:
    found = row.get(key)
    return found if isinstance(found, kind) and not isinstance(found, bool) else None


def _audit(facts: Facts) -> Audit | None:
    enabled = facts.value(int, "observed", "audit", "enabled")
    rules = facts.value(int, "observed", "audit", "rules")
    daemon = facts.value(int, "observed", "audit", "daemon")
    return None if enabled is None else Audit(enabled != 0, rules, daemon or None)


def _flaws(root: Root) -> dict[str, str]:
    names = root.names(_FLAWS)
    return {name: text[:_LONGEST] for name in names if (text := root.line(f"{_FLAWS}/{name}")) and number(text) is None}
