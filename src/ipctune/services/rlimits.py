"""Limits of each process and user: open files, locked memory, bytes in POSIX queues, pages in pipes."""

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ipctune.host.calls import pidfd_getfd
from ipctune.services.model import Holder, Use
from ipctune.services.processes import Process, Processes

__all__ = ["UserPipes", "pipe_uses", "process_uses", "queue_uses", "read_pipes"]

_PAGES_A_PIPE, _SMALL_PIPE = 16, 2
_SMALLEST_TABLE = 64
_MOST_PIPES = 4000
_SHARE_TO_MEASURE = 0.1


@dataclass(slots=True)
class UserPipes:
    """Pipes that a user made: how many, their pages (16 each unless measured), and how many are of 2 pages."""

    count: int = 0
    pages: int = 0
    small: int = 0
    measured: bool = False
    holder: Holder | None = None


def process_uses(processes: Iterable[Process]) -> Iterator[Use]:
    """Of each service the process that is nearest to its own limit on open files and on locked memory."""
    files: dict[object, Use] = {}
    locked: dict[object, Use] = {}
    for process in processes:
        key = (process.service, process.program)
        _fullest(files, key, _files(process))
        if process.locked:
            _fullest(locked, key, _limit(process, "RLIMIT_MEMLOCK", process.locked, "bytes"))
    yield from files.values()
    yield from locked.values()


def queue_uses(owned: Mapping[int, tuple[int, int]], processes: Iterable[Process]) -> Iterator[Use]:
    """Bytes of POSIX queues by user, against the smallest limit of that user's processes: the first to be refused."""
    by_user: dict[int, list[Process]] = defaultdict(list)
    for process in processes:
        by_user[process.uid].append(process)
    for uid, (size, count) in owned.items():
        tight = min(by_user[uid], key=lambda one: one.limits.get("RLIMIT_MSGQUEUE") or 1 << 62, default=None)
        value = tight.limits.get("RLIMIT_MSGQUEUE") if tight else None
        yield Use(
            "RLIMIT_MSGQUEUE",
            f"uid {uid}, {count} queue{'s' if count != 1 else ''}",
            size,
            value,
            "bytes",
            holder=tight.holder if tight else None,
            effect="its restart",
            unlimited=tight is not None and value is None,
            estimated=True,
        )


def read_pipes(processes: Processes, soft: int | None) -> dict[int, UserPipes]:
    """Pipes by the user who made them (the owner of their inode, pipe(7)).

    Where a user's pipes come to a tenth of `soft` (pages), the capacity of each is asked for through a duplicate of
    the descriptor (pidfd_getfd(2), F_GETPIPE_SZ), which adds no reader and no writer; else 16 pages are assumed.
    """
    first: dict[int, tuple[Process, int]] = {}
    for process in processes.all:
        for end in process.ends:
            if end.kind == "pipe":
                first.setdefault(end.inode, (process, end.fd))
    made: dict[int, list[tuple[Process, int]]] = defaultdict(list)
    for process, fd in first.values():
        made[_maker(process, fd)].append((process, fd))
    return {uid: _pipes(ends, soft) for uid, ends in made.items()}


def pipe_uses(pipes: Mapping[int, UserPipes], soft: int | None) -> Iterator[Use]:
    """Pages in pipes by user. Root is exempt (too_many_pipe_buffers_soft() and its callers, fs/pipe.c)."""
    for uid, one in pipes.items():
        if uid == 0:
            continue
        small = f", {one.small} of them of 8 KiB" if one.small else ""
        yield Use(
            "fs.pipe-user-pages-soft",
            f"uid {uid}, {one.count} pipe{'s' if one.count != 1 else ''}{small}",
            one.pages,
            soft,
            "pages",
            holder=one.holder,
            effect="new pipes",
            unlimited=soft == 0,
            estimated=not one.measured,
        )


def _files(process: Process) -> Use | None:
    """The table of descriptors doubles and never shrinks, so half of its size was reached once (fs/file.c)."""
    table = process.table or 0
    reached = table // 2 + 1 if table > _SMALLEST_TABLE else 0
    return _limit(process, "RLIMIT_NOFILE", process.files, "files", max(process.files, reached))


def _limit(process: Process, name: str, use: int, unit: str, peak: int | None = None) -> Use | None:
    if name not in process.limits or (process.blind and not process.files):
        return None
    value = process.limits[name]
    return Use(
        name,
        f"pid {process.pid}",
        use,
        value,
        unit,
        holder=process.holder,
        peak=peak,
        effect="its restart",
        unlimited=value is None,
    )


def _fullest(found: dict[object, Use], key: object, use: Use | None) -> None:
    if use is not None and (key not in found or (use.full, use.use or 0) > (found[key].full, found[key].use or 0)):
        found[key] = use


def _maker(process: Process, fd: int) -> int:
    try:
        return os.stat(f"/proc/{process.pid}/fd/{fd}").st_uid  # noqa: PTH116 - many thousand calls
    except OSError:
        return process.uid


def _pipes(ends: list[tuple[Process, int]], soft: int | None) -> UserPipes:
    holders: dict[Holder, int] = defaultdict(int)
    one = UserPipes(count=len(ends))
    one.measured = bool(soft) and len(ends) * _PAGES_A_PIPE >= _SHARE_TO_MEASURE * (soft or 0)
    one.measured = one.measured and len(ends) <= _MOST_PIPES
    for process, fd in ends:
        pages = (_capacity(process, fd) if one.measured else None) or _PAGES_A_PIPE
        one.pages += pages
        one.small += pages == _SMALL_PIPE
        holders[process.holder] += 1
    one.holder = max(holders, key=lambda who: holders[who], default=None)
    return one


def _capacity(process: Process, fd: int) -> int | None:
    """Pages of a pipe; None where it may not be asked."""
    with suppress(OSError, NotImplementedError):
        ours = pidfd_getfd(process.pid, fd)
        try:
            return fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ) // os.sysconf("SC_PAGE_SIZE")
        finally:
            os.close(ours)
    return None
