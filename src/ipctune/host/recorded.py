"""Opens a recorded machine: an unpacked tree, or the archive itself, read in memory."""

import json
import tarfile
from pathlib import Path

from ipctune.errors import WrongUse
from ipctune.host.core import FACTS
from ipctune.host.root import DirectorySource, MappingSource, Root

__all__ = ["open_recorded"]

_MOST_MEMBERS = 300_000
_MOST_BYTES = 256 << 20


def open_recorded(path: Path) -> Root:
    """The machine that was recorded in `path`, a folder or a tar.gz. Raises WrongUse where it is neither."""
    if path.is_dir():
        unreadable = _unreadable(_facts_of(path))
        return Root(DirectorySource(path.resolve(), unreadable), live=False)
    try:
        files, links = _unpack(path)
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise WrongUse(
            f"{path} is no recorded machine: {error}", hint="it has to be a folder, or a file made by inspect --record"
        ) from error
    return Root(MappingSource(files, links, _unreadable(files.get(FACTS, b""))), live=False)


def _facts_of(folder: Path) -> bytes:
    try:
        return DirectorySource(folder.resolve()).read(FACTS, 1 << 22)
    except OSError:
        return b""


def _unreadable(facts: bytes) -> dict[str, int]:
    """What the recording machine could not read, and the errno."""
    try:
        told = json.loads(facts).get("unreadable", {}) if facts else {}
    except (ValueError, AttributeError, RecursionError):
        return {}
    pairs = told.items() if isinstance(told, dict) else ()
    return {path: code for path, code in pairs if isinstance(code, int)}


def _unpack(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Files and links of the archive; nothing is written. Bounded, as archives come from other people."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    left = _MOST_BYTES
    with tarfile.open(path, "r:*") as archive:
        for count, member in enumerate(archive):
            name = "/" + member.name.removeprefix("./").lstrip("/")
            if count >= _MOST_MEMBERS or left < member.size:
                raise ValueError("it is too large")
            if member.issym():
                links[name] = member.linkname
            elif member.isreg():
                content = archive.extractfile(member)
                files[name] = content.read(left) if content else b""
                left -= member.size
    return files, links
