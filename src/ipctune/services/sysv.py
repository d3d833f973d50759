"""System V objects (sysvipc(7)) and POSIX queues (mq_overview(7)) of every IPC namespace, and their limits' use."""

import os
import stat
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ipctune.host.calls import CLONE_NEWNS, mount, mq_limits, unshare
from ipctune.host.limits import sysvipc_columns
from ipctune.host.model import Unseen
from ipctune.host.text import number
from ipctune.services.model import Holder, Object, Use
from ipctune.services.processes import Process, Processes
from ipctune.services.spaces import IPC, Seen, visit, why_not

__all__ = ["IpcSpace", "queue_bytes", "read_spaces", "space_objects", "space_uses", "user_queue_bytes"]

_NO_LIMIT = 1 << 60
_FILES = ("kernel/shmmax", "kernel/shmall", "kernel/shmmni", "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni",
          "kernel/sem", "fs/mqueue/queues_max", "fs/mqueue/msg_max", "fs/mqueue/msgsize_max")  # fmt: skip
_TABLES = ("shm", "msg", "sem")
_SEM = ("semmsl", "semmns", "semopm", "semmni")
# struct msg_msg and struct posix_msg_tree_node on 64 bits (ipc/mqueue.c, mqueue_get_inode()).
_MESSAGE, _NODE, _PRIORITIES = 48, 48, 32768
_EFFECT = {"semaphores in all": "new arrays", "arrays": "new arrays", "queues": "new queues"}
Row = dict[str, int]


@dataclass(frozen=True, slots=True)
class Queue:
    """A POSIX queue: most messages, bytes a message and messages now; the first two None where they can't be read."""

    name: str
    uid: int
    most: int | None
    size: int | None
    now: int | None
    changed: float


@dataclass(frozen=True, slots=True)
class IpcSpace:
    """One IPC namespace: tables as rows, settings as text, POSIX queues (None where they can't be listed)."""

    process: Process | None
    place: str
    tables: dict[str, tuple[Row, ...]]
    settings: dict[str, str]
    queues: tuple[Queue, ...] | None


def read_spaces(processes: Processes) -> tuple[list[IpcSpace], list[Unseen]]:
    """Every IPC namespace that a process stands in; those that can't be entered are named."""
    found: list[IpcSpace] = []
    unseen: list[Unseen] = []
    for process in processes.by_space("ipc").values():
        place = processes.place("ipc", process)
        try:
            seen, _ = visit(process.pid, IPC, _look)
        except (OSError, NotImplementedError) as error:
            if place:
                unseen.append(Unseen(f"System V objects ({place})", why_not(error)))
                continue
            seen = _files() | {"queues": _queues("/dev/mqueue")}  # our own needs no entering
        found.append(_space(process, place, seen))
    return found, unseen


def space_objects(space: IpcSpace, attached: Mapping[int, Sequence[Holder]] | None, users: Mapping[int, str],
                  now: float) -> Iterator[Object]:  # fmt: skip
    """Segments, queues and arrays of the namespace; `attached` are the holders of segments by id, None for unknown."""
    enter = f"nsenter -t {space.process.pid} -i " if space.place and space.process else ""
    for row in space.tables["shm"]:
        held = None if attached is None else tuple(attached.get(row.get("shmid", -1), ()))
        yield _object(
            "shm-segment",
            "shmid",
            row,
            users,
            enter,
            space.place,
            now,
            bytes=row.get("size"),
            amount=row.get("nattch"),
            holders=held,
        )
    for row in space.tables["msg"]:
        yield _object("msg-queue", "msqid", row, users, enter, space.place, now, amount=row.get("qnum"),
                      bytes=row.get("cbytes"))  # fmt: skip
    for row in space.tables["sem"]:
        yield _object("sem-array", "semid", row, users, enter, space.place, now, amount=row.get("nsems"))
    for queue in space.queues or ():
        size = queue_bytes(queue.most, queue.size) if queue.most is not None and queue.size is not None else None
        yield Object("posix-queue", f"mq:{queue.name}", f"/{queue.name}", queue.uid,
                     users.get(queue.uid, str(queue.uid)), bytes=size, amount=queue.now, place=space.place,
                     age_s=max(0.0, now - queue.changed))  # fmt: skip


def space_uses(space: IpcSpace, page: int, users: Mapping[int, str]) -> Iterator[Use]:
    """How much of each limit of the namespace is used, and by which user; the largest object for limits on one."""
    shm, msg, sem = (space.tables[kind] for kind in _TABLES)
    sizes = [row.get("size", 0) for row in shm]
    semaphores = [row.get("nsems", 0) for row in sem]
    owners = {kind: _owner(space.tables[kind], users) for kind in _TABLES}
    told = (
        ("kernel.shmmni", len(shm), "segments", "shm"),
        ("kernel.shmall", sum(-(-size // page) for size in sizes), "pages", "shm"),
        ("kernel.shmmax", max(sizes, default=0), "bytes", ""),
        ("kernel.msgmni", len(msg), "queues", "msg"),
        ("kernel.msgmax", None, "bytes", ""),
        ("kernel.sem.semmni", len(sem), "arrays", "sem"),
        ("kernel.sem.semmns", sum(semaphores), "semaphores in all", "sem"),
        ("kernel.sem.semmsl", max(semaphores, default=0), "semaphores an array", ""),
        ("kernel.sem.semopm", None, "operations a call", ""),
        ("fs.mqueue.queues_max", None if space.queues is None else len(space.queues), "queues", ""),
        ("fs.mqueue.msg_max", max((queue.most or 0 for queue in space.queues or ()), default=0), "messages", ""),
        ("fs.mqueue.msgsize_max", max((queue.size or 0 for queue in space.queues or ()), default=0), "bytes", ""),
    )
    for limit, use, unit, kind in told:
        yield _use(space, limit, owners.get(kind, ""), use, _value(space.settings, limit), unit)
    yield from _full_queues(space)


def queue_bytes(most: int, size: int) -> int:
    """What RLIMIT_MSGQUEUE counts for one POSIX queue of `most` messages of `size` bytes, in bytes."""
    return most * (_MESSAGE + size) + min(most, _PRIORITIES) * _NODE


def user_queue_bytes(spaces: Sequence[IpcSpace]) -> dict[int, tuple[int, int]]:
    """Bytes and number of POSIX queues by owner, over all namespaces: that is what RLIMIT_MSGQUEUE limits."""
    found: dict[int, tuple[int, int]] = {}
    for queue in (queue for space in spaces for queue in space.queues or ()):
        if queue.most is not None and queue.size is not None:
            size, count = found.get(queue.uid, (0, 0))
            found[queue.uid] = (size + queue_bytes(queue.most, queue.size), count + 1)
    return found


def _owner(rows: Sequence[Row], users: Mapping[int, str]) -> str:
    """Who owns most of these objects."""
    counts = Counter(row.get("uid", -1) for row in rows)
    if not counts:
        return ""
    uid, count = counts.most_common(1)[0]
    return f"{users.get(uid, f'uid {uid}')} has {count}"


def _full_queues(space: IpcSpace) -> Iterator[Use]:
    """Queues by their own fill. A System V queue's own limit is not in the table: new ones have kernel.msgmnb."""
    most = _value(space.settings, "kernel.msgmnb")
    for row in space.tables["msg"]:
        what = f"queue {row.get('msqid')}"
        yield _use(space, "kernel.msgmnb", what, row.get("cbytes"), most, "bytes", estimated=True)
    for queue in space.queues or ():
        yield _use(space, "mq_maxmsg", f"/{queue.name}", queue.now, queue.most, "messages")


def _use(space: IpcSpace, limit: str, what: str, use: int | None, value: int | None, unit: str, *,
         estimated: bool = False) -> Use:  # fmt: skip
    endless = value is not None and value >= _NO_LIMIT
    effect = "queues made afterwards" if limit in ("kernel.msgmnb", "mq_maxmsg") else _EFFECT.get(unit, "new objects")
    return Use(limit, what, use, None if endless else value, unit, effect=effect, place=space.place, unlimited=endless,
               estimated=estimated)  # fmt: skip


def _value(settings: Mapping[str, str], limit: str) -> int | None:
    if limit.startswith("kernel.sem."):
        values = dict(zip(_SEM, settings.get("kernel/sem", "").split(), strict=False))
        return number(values.get(limit.rpartition(".")[2]))
    return number(settings.get(limit.replace(".", "/")))


def _object(kind: str, key: str, row: Row, users: Mapping[int, str], enter: str, place: str, now: float,
            **more: object) -> Object:  # fmt: skip
    short, option = {"shmid": ("shm-segment", "m"), "msqid": ("msg", "q"), "semid": ("sem", "s")}[key]
    ident, uid = row.get(key, -1), row.get("uid", -1)
    return Object(kind, f"{short}:{ident}", f"key 0x{row.get('key', 0) & 0xFFFFFFFF:08x}", uid,  # type: ignore[arg-type]
                  users.get(uid, str(uid)), place=place, age_s=max(0.0, now - row.get("ctime", 0)),
                  remove=f"{enter}ipcrm -{option} {ident}", **more)  # type: ignore[arg-type]  # fmt: skip


def _space(process: Process, place: str, seen: Seen) -> IpcSpace:
    tables, settings, queues = seen.get("tables"), seen.get("settings"), seen.get("queues")
    texts = tables if isinstance(tables, dict) else {}
    return IpcSpace(
        process,
        place,
        {kind: _rows(texts.get(kind)) for kind in _TABLES},
        settings if isinstance(settings, dict) else {},
        tuple(Queue(*row) for row in queues) if isinstance(queues, list) else None,
    )


def _rows(text: str | None) -> tuple[Row, ...]:
    columns = sysvipc_columns(text)
    count = min((len(column) for column in columns.values()), default=0)
    return tuple({name: column[at] for name, column in columns.items()} for at in range(count))


def _look() -> tuple[Seen, int | None]:
    """What the IPC namespace holds, seen from in it. Runs in a child: the mount is its own and ends with it."""
    seen = _files()
    try:
        unshare(CLONE_NEWNS)
        mount("mqueue", "/sys")
        seen["queues"] = _queues("/sys")
    except OSError:
        seen["queues"] = None
    return seen, None


def _files() -> Seen:
    seen: Seen = {"settings": {}, "tables": {}}
    for group, folder, names in (("settings", "/proc/sys", _FILES), ("tables", "/proc/sysvipc", _TABLES)):
        told: dict[str, str] = {}
        for name in names:
            with suppress(OSError):
                told[name] = Path(folder, name).read_text(encoding="ascii", errors="replace").strip()
        seen[group] = told
    return seen


def _queues(folder: str) -> list[list[object]] | None:
    try:
        with os.scandir(folder) as entries:
            found = [_queue(entry) for entry in entries]
    except OSError:
        return None
    return [one for one in found if one is not None]


def _queue(entry: "os.DirEntry[str]") -> list[object] | None:
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    most: int | None = None
    size: int | None = None
    now: int | None = None
    with suppress(OSError, NotImplementedError):
        fd = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            most, size, now = mq_limits(fd) if stat.S_ISREG(about.st_mode) else (None, None, None)
        finally:
            os.close(fd)
    return [entry.name, about.st_uid, most, size, now, min(about.st_mtime, time.time())]
