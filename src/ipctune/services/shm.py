"""/dev/shm in every mount namespace: its size, what lies in it, and who has that open or mapped (shm_overview(7))."""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ipctune.services.model import Holder, Object, Use
from ipctune.services.processes import Process, Processes

__all__ = ["Entry", "Holders", "Mount", "read_holders", "read_mounts", "shm_objects", "shm_uses", "who_maps"]

_SHM = "/dev/shm"
_MOST_ENTRIES = 20_000
# address perms offset dev inode path (proc(5)); System V segments are mapped as /SYSV<key> with their id as inode.
_MAP = re.compile(r"\S+ [rwxps-]{4} [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+)\s*(\S*)")
File = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in /dev/shm by device and inode."""

    name: str
    file: File
    uid: int
    bytes: int
    changed: float
    plain: bool


@dataclass(frozen=True, slots=True)
class Mount:
    """One /dev/shm, as the process that stands for it sees it. Bytes and numbers of inodes."""

    process: Process
    place: str
    device: int
    total: int
    used: int
    inodes: int
    inodes_used: int
    entries: tuple[Entry, ...]


@dataclass(slots=True)
class Holders:
    """Who has a file open or mapped, and who is attached to a System V segment (by IPC namespace and id).

    `blind` are the processes that could not be looked into, by pid.
    """

    files: dict[File, dict[int, Holder]]
    segments: dict[tuple[int, int], dict[int, Holder]]
    blind: dict[int, Holder] = field(default_factory=dict)


def read_mounts(processes: Processes) -> list[Mount]:
    """Each /dev/shm once, though many mount namespaces may share it; one that is no mount of its own is left out."""
    found: dict[int, Mount] = {}
    for process in processes.by_space("mnt").values():
        one = _mount(process, processes.place("mnt", process))
        if one is not None:
            found.setdefault(one.device, one)
    return list(found.values())


def read_holders(processes: Iterable[Process], *, every_file: bool) -> Holders:
    """Look through maps and descriptors. `every_file` stats all of them, so that none is missed behind a bind mount.

    Without it, only descriptors whose link names /dev/shm are looked at, which is cheaper.
    """
    found = Holders(defaultdict(dict), defaultdict(dict))
    for process in processes:
        try:
            _maps(process, found)
            _descriptors(process, found, every_file)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        except OSError:
            found.blind[process.pid] = process.holder
    return found


def shm_uses(mounts: Iterable[Mount], holders: Holders | None = None) -> Iterator[Use]:
    """Bytes and inodes of each /dev/shm."""
    for one in mounts:
        whose = _largest_holder(one, holders) or (one.process.holder if one.place else None)
        yield Use("/dev/shm", "", one.used, one.total, "bytes", holder=whose, effect=_effect(one), place=one.place)
        if one.inodes:
            yield Use(
                "/dev/shm inodes",
                "",
                one.inodes_used,
                one.inodes,
                "files",
                holder=whose,
                effect=_effect(one),
                place=one.place,
            )


def shm_objects(
    mounts: Iterable[Mount], holders: Holders | None, users: Mapping[int, str], now: float
) -> Iterator[Object]:
    """The files in each /dev/shm, with who has them open or mapped."""
    for one in mounts:
        for entry in one.entries:
            held = None if holders is None else tuple(holders.files.get(entry.file, {}).values())
            where = f"/proc/{one.process.pid}/root" if one.place else ""
            yield Object(
                "posix-shm",
                f"shm:{entry.name}",
                f"{_SHM}/{entry.name}",
                entry.uid,
                users.get(entry.uid, str(entry.uid)),
                bytes=entry.bytes,
                holders=held,
                place=one.place,
                age_s=max(0.0, now - entry.changed),
                remove=f"rm -- {_quoted(f'{where}{_SHM}/{entry.name}')}",
            )


def who_maps(lines: Iterable[str]) -> Iterator[tuple[File, bool]]:
    """Device and inode of each mapped file in the lines of /proc/PID/maps, and whether it is a System V segment."""
    for line in lines:
        found = _MAP.match(line)
        if found and found[3] != "0":
            device = os.makedev(int(found[1][:8], 16) & 0xFFF, int(found[2][:8], 16) & 0xFFFFF)
            yield (device, int(found[3][:20])), found[4].startswith("/SYSV")


def _mount(process: Process, place: str) -> Mount | None:
    path = f"/proc/{process.pid}/root{_SHM}" if place else _SHM
    try:
        about, top = os.stat(path), os.stat(f"/proc/{process.pid}/root/dev" if place else "/dev")  # noqa: PTH116
        if about.st_dev == top.st_dev:
            return None
        size = os.statvfs(path)
        entries = tuple(_entries(path))
    except OSError:
        return None
    return Mount(
        process,
        place,
        about.st_dev,
        size.f_blocks * size.f_frsize,
        (size.f_blocks - size.f_bfree) * size.f_frsize,
        size.f_files,
        size.f_files - size.f_ffree,
        entries,
    )


def _entries(path: str) -> Iterator[Entry]:
    with os.scandir(path) as found:
        for entry, _ in zip(found, range(_MOST_ENTRIES), strict=False):
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            plain = stat.S_ISREG(about.st_mode)
            changed = max(about.st_mtime, about.st_ctime)
            yield Entry(entry.name, (about.st_dev, about.st_ino), about.st_uid, about.st_size, changed, plain)


def _maps(process: Process, found: Holders) -> None:
    with Path(f"/proc/{process.pid}/maps").open(encoding="utf-8", errors="replace") as lines:
        for file, segment in who_maps(lines):
            if segment:
                found.segments[process.spaces.get("ipc", 0), file[1]][process.pid] = process.holder
            else:
                found.files[file][process.pid] = process.holder


def _descriptors(process: Process, found: Holders, every_file: bool) -> None:
    """Of each thread where every file counts: a thread may have a table of its own (unshare(CLONE_FILES))."""
    tasks = os.listdir(f"/proc/{process.pid}/task") if every_file else [str(process.pid)]  # noqa: PTH208
    for task in tasks:
        folder = f"/proc/{process.pid}/task/{task}/fd"
        for name in os.listdir(folder):  # noqa: PTH208
            path = f"{folder}/{name}"
            if every_file or _names_shm(path):
                _hold(path, process, found)


def _names_shm(path: str) -> bool:
    try:
        return os.readlink(path).startswith(_SHM)  # noqa: PTH115 - many thousand calls
    except OSError:
        return False


def _hold(path: str, process: Process, found: Holders) -> None:
    try:
        about = os.stat(path)  # noqa: PTH116 - many thousand calls
    except FileNotFoundError:
        return  # closed meanwhile
    if stat.S_ISREG(about.st_mode):
        found.files[about.st_dev, about.st_ino][process.pid] = process.holder


def _largest_holder(one: Mount, holders: Holders | None) -> Holder | None:
    """Who has the largest of its files open."""
    if holders is None:
        return None
    held: Sequence[Entry] = sorted((e for e in one.entries if holders.files.get(e.file)), key=lambda e: -e.bytes)
    return next(iter(holders.files[held[0].file].values())) if held else None


def _effect(one: Mount) -> str:
    return "a new container" if one.process.service.kind == "container" else "at once"


def _quoted(path: str) -> str:
    return path if re.fullmatch(r"[\w./+@:-]+", path, re.ASCII) else "'" + path.replace("'", "'\\''") + "'"
