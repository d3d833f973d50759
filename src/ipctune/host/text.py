"""Small parsers for what the kernel prints. Garbage gives None or an empty result, never an error."""

import re
from collections.abc import Iterator

__all__ = ["cpu_list", "cpu_ranges", "fields", "flag", "number", "pairs", "printable", "size", "words"]

_MOST_CPUS = 65536
_ODD = re.compile(r"[^\t\n\x20-\x7e]")
_LONGEST_NUMBER = 24


def number(text: str | None) -> int | None:
    """The decimal integer that `text` is, surrounding space aside."""
    stripped = (text or "").strip()
    if not 0 < len(stripped) <= _LONGEST_NUMBER:
        return None
    digits = stripped.removeprefix("-")
    return int(stripped) if digits.isascii() and digits.isdigit() else None


def printable(text: str) -> str:
    """`text` without what steers a terminal: control characters, other line breaks, marks that turn the direction."""
    return _ODD.sub(lambda found: found.group() if found.group().isprintable() else "\ufffd", text)


def flag(text: str | None) -> bool | None:
    """A module parameter of type bool: Y, N, 1 or 0."""
    return {"Y": True, "1": True, "N": False, "0": False}.get((text or "").strip().upper())


def words(text: str | None) -> tuple[str, ...]:
    """The words of one or more lines."""
    return tuple((text or "").split())


def fields(text: str | None) -> Iterator[list[str]]:
    """The words of each line that has any."""
    for line in (text or "").splitlines():
        if line.strip():
            yield line.split()


def pairs(text: str | None, separator: str = ":") -> dict[str, str]:
    """Lines of `key: value`; the first of equal keys wins."""
    found: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, split, value = line.partition(separator)
        if split and key.strip():
            found.setdefault(key.strip(), value.strip())
    return found


def size(text: str | None) -> int | None:
    """Bytes of `8872 kB`, `32K`, `2M` or a plain number."""
    stripped = (text or "").strip().removesuffix("B").strip()
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(stripped[-1:].upper(), 1)
    value = number(stripped[:-1] if unit > 1 else stripped)
    return None if value is None else value * unit


def cpu_list(text: str | None) -> tuple[int, ...]:
    """The vCPUs of a list such as `0-3,8`, sorted (cpuset(7), FORMATS). Unreadable parts are left out."""
    found: set[int] = set()
    for part in (text or "").strip().split(","):
        first, dash, last = part.partition("-")
        low, high = number(first), number(last if dash else first)
        if low is not None and high is not None and 0 <= low <= high < _MOST_CPUS:
            found.update(range(low, high + 1))
    return tuple(sorted(found))


def cpu_ranges(cpus: tuple[int, ...]) -> str:
    """The list in short: (0, 1, 2, 5) is `0-2,5`."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and cpu == parts[-1][1] + 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
