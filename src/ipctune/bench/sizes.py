"""Message sizes as people write them: `64`, `4K`, `1M`, lists of those, and ranges that double."""

import re

__all__ = ["LARGEST", "named", "parse_size", "parse_sizes", "short"]

LARGEST = 16 << 20
"""Bytes of the largest message."""
_SIZE = re.compile(r"(\d{1,9})\s*(B|K|KiB|M|MiB)?", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int | None:
    """Bytes of `64`, `64B`, `4K`, `1MiB`; None for anything else. Whether a message may be that large is not asked."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    return int(found[1]) * {"K": 1 << 10, "M": 1 << 20}.get((found[2] or "B")[0].upper(), 1)


def parse_sizes(text: str) -> tuple[int, ...] | None:
    """`64,4K` is those two, `64-1K` each doubling from the first with the last. None where a size is none.

    A message is 1 B to 16 MiB.
    """
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.partition("-")
        ends = parse_size(low), parse_size(high if dash else low)
        if ends[0] is None or ends[1] is None or not 1 <= ends[0] <= ends[1] <= LARGEST:
            return None
        found += _doubled(ends[0], ends[1])
    return tuple(dict.fromkeys(found))


def _doubled(low: int, high: int) -> list[int]:
    sizes = []
    while low < high:
        sizes.append(low)
        low *= 2
    return [*sizes, high]


def short(size: int) -> str:
    """`64`, `4K`, `1M`: what `parse_size` takes, in as few characters as can be."""
    for unit, name in ((1 << 20, "M"), (1 << 10, "K")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def named(size: int) -> str:
    """`64 B`, `4 KiB`, `1 MiB`: for people."""
    text = short(size)
    return f"{size} B" if text.isdigit() else f"{text[:-1]} {text[-1]}iB"
