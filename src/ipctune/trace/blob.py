"""A built program as a file: what the kernel's own loader for it needs, in one piece.

`bpftool gen skeleton -L` turns an object into a program of type BPF_PROG_TYPE_SYSCALL that makes the maps and loads the
programs inside the kernel, relocation included (5.15, and 5.17 for what ours use). A file has one line of JSON that
names its maps and programs in the loader's order, then the loader's data and its instructions. `tools/bpf` makes them
from the sources in `native/bpf`.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipctune.errors import IpctuneError, NotPossible

__all__ = ["Blob", "NoEbpf", "pack", "read_blob"]

_FOLDER = Path(__file__).parent / "objects"
_MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}


class NoEbpf(NotPossible):
    """This kernel, or our rights, allow no eBPF: what else there is may be told."""


@dataclass(frozen=True, slots=True)
class Blob:
    """`maps` are names, in the order in which the loader makes them; `programs` likewise."""

    maps: tuple[str, ...]
    programs: tuple[str, ...]
    data: bytes
    instructions: bytes


def pack(blob: Blob) -> bytes:
    """The file of a blob."""
    head: dict[str, Any] = {
        "maps": blob.maps,
        "programs": blob.programs,
        "data": len(blob.data),
        "instructions": len(blob.instructions),
    }
    line = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    return line + blob.data + blob.instructions


def read_blob(name: str) -> Blob:
    """The program of that name for this machine. Raises NoEbpf where there is none for its architecture."""
    machine = os.uname().machine
    folder = _MACHINES.get(machine)
    if folder is None:
        raise NoEbpf(f"no eBPF programs were built for {machine}", hint="there are some for x86_64 and arm64")
    try:
        return _parse((_FOLDER / folder / f"{name}.bpf").read_bytes())
    except (OSError, ValueError, KeyError) as error:
        raise IpctuneError(f"the eBPF program {name} can't be read: {error}", hint="install ipctune anew") from None


def _parse(content: bytes) -> Blob:
    line, _, rest = content.partition(b"\n")
    head = json.loads(line)
    ends = int(head["data"]), int(head["data"]) + int(head["instructions"])
    if len(rest) != ends[1]:
        raise ValueError("its length is not what it says")
    return Blob(tuple(head["maps"]), tuple(head["programs"]), rest[: ends[0]], rest[ends[0] :])
