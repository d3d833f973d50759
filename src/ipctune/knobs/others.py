"""Other processes, told apart by their start time: their descriptors, and short stays in their namespaces.

A process is held by a descriptor of its folder in /proc while it is looked at: that one never leads to a successor.
Sources: proc(5), namespaces(7), setns(2), pidfd_getfd(2).
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ipctune.errors import NotPossible
from ipctune.host.calls import CLONE_NEWIPC, CLONE_NEWNET, setns
from ipctune.knobs.marks import Mark

__all__ = [
    "Ended",
    "descriptor",
    "inside",
    "is_text_of_numbers",
    "links",
    "name_of",
    "now_ticks",
    "own_space",
    "process",
    "refuse",
    "space_of",
    "started",
]

T = TypeVar("T")

_KINDS = {"ipc": CLONE_NEWIPC, "net": CLONE_NEWNET}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STAT = 2048
_known: dict[str, tuple[int, int, str]] = {}
"""Where an object was found last: pid, start and descriptor. Only where to look first."""


class Ended(ProcessLookupError):
    """The process, or all that had the object, or all that were in the namespace, have ended."""


def now_ticks() -> int:
    """Clock ticks since boot, as start times are given in."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


@contextmanager
def process(pid: int, start: int) -> Iterator[int]:
    """A descriptor of /proc/PID of that very process. Raises Ended where it has ended."""
    with _folder(pid) as (folder, started):
        if started != start:
            raise Ended(f"process {pid} has ended")
        yield folder


@contextmanager
def _folder(pid: int) -> Iterator[tuple[int, int]]:
    """A descriptor of /proc/PID, and when that process started."""
    try:
        folder = os.open(f"/proc/{pid}", _FOLDER)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Ended(f"process {pid} has ended") from error
    try:
        yield folder, _started(folder, pid)
    finally:
        os.close(folder)


def _started(folder: int, pid: int) -> int:
    try:
        fd = os.open("stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        try:
            words = os.read(fd, _STAT).rsplit(b")", 1)[1].split()
        finally:
            os.close(fd)
    except (OSError, IndexError) as error:
        raise Ended(f"process {pid} has ended") from error
    if words[0] in (b"Z", b"X"):
        raise Ended(f"process {pid} has ended")
    return int(words[19])


def links(folder: int) -> Iterator[tuple[str, str]]:
    """Each descriptor of a process with what it leads to, the lowest first. Raises OSError where that is not shown."""
    fds = os.open("fd", _FOLDER, dir_fd=folder)
    try:
        for name in sorted(os.listdir(fds), key=int):  # noqa: PTH208 - of a descriptor
            with suppress(OSError):  # closed meanwhile
                yield name, os.readlink(name, dir_fd=fds)
    finally:
        os.close(fds)


@contextmanager
def descriptor(mark: Mark) -> Iterator[tuple[int, int, str]]:
    """Who has the object open: a descriptor of that process's folder in /proc, its pid, and its descriptor's number.

    The process of the mark is asked first, then all others: a worker may have inherited it. Raises Ended where nobody
    has it, PermissionError where that can't be told.
    """
    pid, start, number = _holder(mark)
    with process(pid, start) as folder:
        yield folder, pid, number


def _holder(mark: Mark) -> tuple[int, int, str]:
    denied: PermissionError | None = None
    for pid, start in _askable(mark):
        try:
            with _folder(pid) as (folder, started):
                number = _number(mark, folder, pid, started) if start in (None, started) else None
        except Ended:
            continue
        except PermissionError as error:
            denied = error if pid == mark.pid and start is not None else denied
            continue
        if number is not None:
            _known[str(mark)] = (pid, started, number)
            return _known[str(mark)]
    raise denied or Ended(f"nobody has {_link(mark)} of process {mark.pid} open any more")


def _askable(mark: Mark) -> Iterator[tuple[int, int | None]]:
    known = _known.get(str(mark))
    if known is not None:
        yield known[0], known[1]
    yield mark.pid, mark.start
    for pid in _pids():
        if pid not in (mark.pid, os.getpid()):
            yield pid, None


def _number(mark: Mark, folder: int, pid: int, started: int) -> str | None:
    known = _known.get(str(mark))
    if known is not None and known[:2] == (pid, started):
        with suppress(OSError):
            if os.readlink(f"fd/{known[2]}", dir_fd=folder) == _link(mark):
                return known[2]
    return next((number for number, leads_to in links(folder) if leads_to == _link(mark)), None)


def _link(mark: Mark) -> str:
    return f"{mark.kind}:[{mark.inode}]"


def _pids() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isascii() and name.isdigit())  # noqa: PTH208


def own_space(kind: str) -> int:
    """The inode of our own namespace of that kind."""
    return Path(f"/proc/self/ns/{kind}").stat().st_ino


def space_of(folder: int, kind: str) -> int:
    """The inode of that namespace of a process, whose folder in /proc this descriptor is of. Raises OSError."""
    return os.stat(f"ns/{kind}", dir_fd=folder).st_ino


def inside(mark: Mark, action: Callable[[], T]) -> T:
    """What `action` returns in the namespace of the mark; in a thread of its own, which alone goes there and ends.

    So nothing of ours stays there, and a kill of this process ends what it does there as well. Raises Ended where
    nobody is left in that namespace, PermissionError and what `action` raises.
    """
    fd = _member(mark)
    try:
        return _in_thread(lambda: _entered(fd, mark, action))
    finally:
        os.close(fd)


def _entered(fd: int, mark: Mark, action: Callable[[], T]) -> T:
    if own_space(mark.space) != mark.inode:
        setns(fd, _KINDS[mark.space])
    return action()


def _in_thread(action: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    try:
        thread.start()
        thread.join()
    finally:
        if thread.ident is not None:
            thread.join()  # an interrupt must not leave it behind, writing
    for error in errors:
        raise error
    return results[0]


def _member(mark: Mark) -> int:
    """A descriptor of the namespace, through a process that was in it when it was looked at.

    The number of a namespace that has ended is soon another's: processes that started later don't count.
    """
    denied = False
    for pid in dict.fromkeys((mark.pid, *_pids())):
        try:
            with _folder(pid) as (folder, started):
                if started <= mark.ticks and (pid != mark.pid or started == mark.start):
                    fd = os.open(f"ns/{mark.space}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
                    if os.fstat(fd).st_ino == mark.inode:
                        return fd
                    os.close(fd)
        except PermissionError:
            denied = denied or pid == mark.pid
        except (Ended, OSError):
            continue
    if denied:
        raise PermissionError(1, f"the namespaces of process {mark.pid} are root's to enter")
    raise Ended(f"nobody is left in the {mark.space} namespace of process {mark.pid}")


def is_text_of_numbers(text: str) -> bool:
    """Whether a journal's text is what such a setting can be: numbers and blanks."""
    return all(word.isascii() and word.isdigit() for word in text.split()) and bool(text.split())


def refuse(where: str, text: str, error: OSError) -> NotPossible:
    """The kernel's reason, in words."""
    hint = {
        1: "this needs root, and CAP_SYS_RESOURCE above a limit of the machine",
        13: "this needs root",
        16: "it holds more than that: once whoever reads has read, ipctune revert",
    }
    why = str(error) if isinstance(error, Ended) else error.strerror or str(error)
    return NotPossible(f"{where} does not take {text!r}: {why}", hint=hint.get(error.errno or 0, ""))


def started(pid: int) -> int | None:
    """When the process started; None where it has ended."""
    try:
        with _folder(pid) as (_, ticks):
            return ticks
    except Ended:
        return None


def name_of(pid: int) -> str:
    """The name of its program (proc_pid_comm(5)), as text that steers no terminal."""
    try:
        text = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "?"
    return "".join(c if c.isprintable() else "?" for c in text)
