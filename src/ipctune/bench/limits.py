"""Small physical limits to print beside results: nothing here can be faster than these."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipctune.bench.core import ask

__all__ = ["Limits", "limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """ns a call: reading the clock, and the cheapest system call (getppid(2)); None is unknown."""

    clock_ns: float | None = None
    syscall_ns: float | None = None


def limits(*, core: str | Path | None = None) -> Limits:
    """What `ipctune-core facts` measured; a fact that it doesn't give is None."""
    facts = ask("facts", core=core)
    clock = facts.get("clock") if isinstance(facts, dict) else None
    return Limits(_figure(clock, "monotonic_ns"), _figure(clock, "getppid_ns"))


def _figure(clock: Any, name: str) -> float | None:
    value = clock.get(name) if isinstance(clock, dict) else None
    return float(value) if isinstance(value, int | float) and value > 0 else None
