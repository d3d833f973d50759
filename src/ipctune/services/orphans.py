"""Objects that nobody alive can be using, and their removal: the one thing in this room that changes the machine."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ipctune.errors import NotPossible, WrongUse
from ipctune.host.calls import remove_array
from ipctune.host.root import Root
from ipctune.services.model import Holder, Object
from ipctune.services.naming import kept_in_tmp, user_names
from ipctune.services.processes import Processes, read_processes
from ipctune.services.shm import Holders, read_holders, read_mounts, shm_objects
from ipctune.services.sysv import read_spaces, space_objects

__all__ = ["Removal", "chosen", "find_orphans", "mark", "remove"]

# PROC_PID_INIT_INO of include/linux/proc_ns.h: from here every process of the machine can be seen.
_FIRST_PID_NAMESPACE = 0xEFFFFFFC


@dataclass(frozen=True, slots=True)
class Removal:
    """What was found fit to remove: an array's id, owner and time of change, or a file's device and inode."""

    object: Object
    mark: tuple[int, ...]


def mark(objects: Iterable[Object], live: frozenset[int], complete: bool) -> tuple[Object, ...]:
    """Say of each object whether nobody who can be seen alive is its user; nothing is an orphan if not `complete`.

    A semaphore array has no attach count, and the pid of the last operation is 0 until its first: it is left over
    only where no live process runs under its owner. A segment: the kernel counts no attachment, and no live process
    of its owner. A file in /dev/shm: nobody has it open or mapped.
    """
    return tuple(replace(one, orphan=complete and _unused(one, live)) for one in objects)


def find_orphans(root: Root | None = None) -> tuple[tuple[Removal, ...], tuple[Holder, ...]]:
    """Orphans in our own namespaces, semaphore arrays and files in /dev/shm; and the processes that keep theirs hidden.

    Raises NotPossible where processes themselves can't be seen: without root, in a container, with hidepid. A process
    whose open files even root may not see is the caller's to judge: it matters for files, not for arrays.
    """
    root = root or Root()
    processes = read_processes(root)
    _check_sight(root, processes)
    holders = read_holders(processes.all, every_file=True)
    found = (*_arrays(root, processes), *_files(root, processes, holders))
    return found, tuple(holders.blind.values())


def chosen(found: Sequence[Removal], ids: Sequence[str]) -> tuple[Removal, ...]:
    """Those with these ids, all of them without any. Raises WrongUse for an id that is no orphan."""
    known = {one.object.id: one for one in found}
    for ident in ids:
        if ident not in known:
            raise WrongUse(f"{ident} is not left over here", hint=_hint(known))
    return tuple(known[ident] for ident in dict.fromkeys(ids)) if ids else tuple(found)


def remove(found: Sequence[Removal]) -> Iterator[tuple[Removal, str]]:
    """Look once more, then remove what is still the same and still unused; with each, why it was left, or nothing."""
    again = {one.object.id: one for one in find_orphans()[0]}
    for one in found:
        same = one.object.id in again and again[one.object.id].mark == one.mark
        yield one, _remove(one) if same else "it is in use or gone by now"


def _remove(one: Removal) -> str:
    try:
        if one.object.kind == "sem-array":
            remove_array(int(one.object.id.partition(":")[2]))
        else:
            _unlink(Path(one.object.name), one.mark)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _unused(one: Object, live: frozenset[int]) -> bool:
    if one.kind == "sem-array":
        return one.uid not in live
    if one.kind == "shm-segment":
        return one.amount == 0 and one.uid not in live
    return one.kind == "posix-shm" and one.holders == ()


def _check_sight(root: Root, processes: Processes) -> None:
    hint = "only root, in the first PID namespace and without hidepid, sees every process; nothing was removed"
    if os.geteuid() != 0:
        raise NotPossible("not root: others' processes may use what looks left over", hint=hint)
    if processes.own.get("pid") != _FIRST_PID_NAMESPACE:
        raise NotPossible("processes outside this container can't be seen", hint=hint)
    mounts = (row.split() for row in (root.text("/proc/self/mounts") or "").splitlines())
    hidden = any(row[1] == "/proc" and "hidepid=" in row[3] for row in mounts if len(row) > 3)
    if not processes.complete or hidden:
        raise NotPossible("some processes can't be seen", hint=hint)


def _arrays(root: Root, processes: Processes) -> Iterator[Removal]:
    users, live = user_names(root), processes.live_uids
    for space in read_spaces(processes)[0]:
        rows = {f"sem:{row.get('semid')}": row for row in space.tables["sem"]}
        for one in space_objects(space, None, users, 0.0):
            row = rows.get(one.id)
            if space.place or row is None or {row.get("uid"), row.get("cuid")} & live:
                continue
            yield Removal(one, tuple(row.get(key, -1) for key in ("key", "semid", "uid", "cuid", "ctime", "otime")))


def _files(root: Root, processes: Processes, holders: Holders) -> Iterator[Removal]:
    users, kept = user_names(root), kept_in_tmp(root)
    for mount in read_mounts(processes):
        if mount.place:
            continue
        entries = {f"shm:{entry.name}": entry for entry in mount.entries}
        for one in shm_objects([mount], holders, users, 0.0):
            entry = entries[one.id]
            if entry.plain and not one.holders and one.name not in kept and _free(Path(one.name)):
                yield Removal(one, (*entry.file, entry.uid, entry.bytes))


def _free(path: Path) -> bool:
    """Ask the kernel too: a read lease (fcntl(2), F_SETLEASE) is refused while anyone has the file open for writing.

    That also finds a descriptor in flight between two processes, which no look at processes can.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return True
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    finally:
        with suppress(OSError):
            os.close(fd)


def _unlink(path: Path, mark: tuple[int, ...]) -> None:
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode) or (about.st_dev, about.st_ino) != mark[:2]:
        raise OSError(errno.ESTALE, "another file has that name by now")
    if not _free(path):
        raise OSError(errno.EBUSY, "somebody has opened it meanwhile")
    path.unlink()


def _hint(known: dict[str, Removal]) -> str:
    return f"left over are: {', '.join(sorted(known))}" if known else "nothing is left over in these namespaces"
