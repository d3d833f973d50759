"""Where an address of a process lies: the file that is mapped there, and the function, where a library that reads ELF
(pyelftools, `ipctune[trace]`) is installed. Without it the offset in the file is told, for addr2line(1).
"""

import bisect
import os
import re
import stat
import struct
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ipctune.host.text import printable

__all__ = ["Symbols"]

_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ (\d+)\s*(.*)")
_LARGEST = 256 << 20


@dataclass(frozen=True, slots=True)
class _Mapped:
    start: int
    end: int
    offset: int
    path: str


@dataclass(slots=True)
class Symbols:
    """Names for addresses; what was read of a process is kept, as it may have ended by the next time."""

    root: Path = Path("/proc")
    _maps: dict[int, list[_Mapped]] = field(default_factory=dict)

    def know(self, pid: int) -> None:
        """Read what is mapped there now, if it can be read."""
        try:
            text = (self.root / str(pid) / "maps").read_text(errors="replace")
        except OSError:
            return
        found = [_mapped(line) for line in text.splitlines()]
        self._maps[pid] = [one for one in found if one is not None]

    def name(self, pid: int, address: int) -> str:
        """`pthread_mutex_lock`, `libc.so.6+0x8f3a2`, `[heap]+0x2a0`, or the address."""
        where = next((one for one in self._maps.get(pid, ()) if one.start <= address < one.end), None)
        if where is None or not where.path:
            return f"{address:#x}"
        if where.path.startswith("["):
            return f"{where.path}+{address - where.start:#x}"
        offset = address - where.start + where.offset
        told = _function(str(self.root / str(pid) / "root") + where.path, offset)
        return printable(told or f"{Path(where.path).name}+{offset:#x}")


def _mapped(line: str) -> _Mapped | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    return _Mapped(int(found[1], 16), int(found[2], 16), int(found[4], 16), found[6].strip())


def _function(path: str, offset: int) -> str:
    starts, ends, names = _functions(path)
    at = bisect.bisect_right(starts, offset) - 1
    return names[at] if at >= 0 and offset < ends[at] else ""


@cache
def _functions(path: str) -> tuple[list[int], list[int], list[str]]:
    """Functions of an ELF file by their offset in it; none where it can't be read."""
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
        from elftools.elf.sections import SymbolTableSection
    except ImportError:
        return [], [], []
    found: list[tuple[int, int, str]] = []
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - may be a FIFO
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
                return [], [], []
            elf = ELFFile(file)
            segments = [s.header for s in elf.iter_segments() if s.header.p_type == "PT_LOAD"]
            for section in elf.iter_sections():
                if isinstance(section, SymbolTableSection):
                    for symbol in section.iter_symbols():
                        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]:
                            found += _in_file(symbol, segments)
    except (
        OSError,
        ELFError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        struct.error,
    ):
        return [], [], []
    found.sort()
    return [one[0] for one in found], [one[1] for one in found], [one[2] for one in found]


def _in_file(symbol: Any, segments: list[Any]) -> list[tuple[int, int, str]]:
    value, size, name = symbol["st_value"], symbol["st_size"], symbol.name
    for segment in segments:
        start = segment["p_vaddr"]
        if start <= value < start + segment["p_filesz"]:
            at = value - start + segment["p_offset"]
            return [(at, at + size, name)]
    return []
