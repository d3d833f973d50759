"""Every limit on IPC with its value and its use."""

from dataclasses import replace

from ipctune.host.beancounters import read_beancounters
from ipctune.host.core import Facts
from ipctune.host.limit_table import RLIMITS, SEM_FIELDS, SYSCTLS, Row
from ipctune.host.model import Limit, Scope
from ipctune.host.processes import Fullest, Processes, both_limits
from ipctune.host.root import Root
from ipctune.host.text import fields, number, words

__all__ = ["read_limits", "sysvipc_columns"]

# Above this a limit can't be reached on any machine: shmmax and shmall since 3.16.
_NO_LIMIT = 1 << 60
_PAGES_A_PIPE = 16


def read_limits(
    root: Root, facts: Facts, processes: Processes, version: tuple[int, ...], page: int
) -> dict[str, Limit]:
    """Limits by name: sysctl names, `kernel.sem.semmsl` and its like, RLIMIT_…, `/dev/shm`."""
    found = [
        *_sysctls(root, version),
        *_semaphores(root),
        *_rlimits(root),
        *_shm_mount(facts),
        *read_beancounters(root),
    ]
    limits = {limit.name: limit for limit in found}
    for name, use in _uses(root, page).items():
        if name in limits:
            limits[name] = replace(limits[name], use=use)
    return _with_processes(limits, processes)


def sysvipc_columns(text: str | None) -> dict[str, list[int]]:
    """The columns of a table of /proc/sysvipc by heading (sysvipc(7)); rows that don't fit are left out."""
    rows = list(fields(text))
    if not rows:
        return {}
    heading = rows[0]
    parsed = ([number(word) for word in row] for row in rows[1:] if len(row) == len(heading))
    whole = [row for row in parsed if None not in row]
    return {name: [row[i] or 0 for row in whole] for i, name in enumerate(heading)}


def _sysctls(root: Root, version: tuple[int, ...]) -> list[Limit]:
    return [_sysctl(root, row, version) for row in SYSCTLS]


def _sysctl(root: Root, row: Row, version: tuple[int, ...]) -> Limit:
    value = number(root.text("/proc/sys/" + row.name.replace(".", "/")))
    endless = value is not None and (value >= _NO_LIMIT or (row.zero_is_unlimited and value == 0))
    return Limit(
        row.name,
        value,
        row.unit,
        row.scope,
        unlimited=endless,
        upstream=row.default(version),
        effect=row.effect,
    )


def _semaphores(root: Root) -> list[Limit]:
    values = [number(word) for word in words(root.text("/proc/sys/kernel/sem"))]
    values += [None] * (len(SEM_FIELDS) - len(values))
    return [
        Limit(name, value, unit, "ipc-namespace", upstream=upstream, effect="new arrays")
        for (name, unit, upstream), value in zip(SEM_FIELDS, values, strict=False)
    ]


def _rlimits(root: Root) -> list[Limit]:
    text = root.text("/proc/self/limits")
    found: list[Limit] = []
    for name, title, unit in RLIMITS:
        soft, hard = both_limits(text, title)
        endless = text is not None and title in text and soft is None
        scope: Scope = "user" if name == "RLIMIT_MSGQUEUE" else "process"
        found.append(Limit(name, soft, unit, scope, unlimited=endless, hard=hard, effect="new processes"))
    return found


def _shm_mount(facts: Facts) -> list[Limit]:
    total = facts.value(int, "observed", "shm", "total")
    used = facts.value(int, "observed", "shm", "used")
    return [] if total is None else [Limit("/dev/shm", total, "bytes", "mount", use=used, effect="at once")]


def _uses(root: Root, page: int) -> dict[str, int]:
    """What of the namespace's limits is used: sums, counts and largest objects of /proc/sysvipc."""
    shm = sysvipc_columns(root.text("/proc/sysvipc/shm"))
    msg = sysvipc_columns(root.text("/proc/sysvipc/msg"))
    sem = sysvipc_columns(root.text("/proc/sysvipc/sem"))
    used: dict[str, int] = {}
    if "size" in shm:
        used["kernel.shmall"] = sum(-(-size // page) for size in shm["size"])
        used["kernel.shmmax"] = max(shm["size"], default=0)
        used["kernel.shmmni"] = len(shm["size"])
    if "cbytes" in msg:
        used["kernel.msgmni"] = len(msg["cbytes"])
        used["kernel.msgmnb"] = max(msg["cbytes"], default=0)
    if "nsems" in sem:
        used["kernel.sem.semmni"] = len(sem["nsems"])
        used["kernel.sem.semmns"] = sum(sem["nsems"])
        used["kernel.sem.semmsl"] = max(sem["nsems"], default=0)
    files = words(root.text("/proc/sys/fs/file-nr"))
    opened = number(files[0]) if files else None
    if opened is not None:
        used["fs.file-max"] = opened
    if _mounted(root, "/dev/mqueue", "mqueue"):
        used["fs.mqueue.queues_max"] = len(root.names("/dev/mqueue"))
    return used


def _mounted(root: Root, where: str, kind: str) -> bool:
    return any(row[1:3] == [where, kind] for row in fields(root.text("/proc/self/mounts")))


def _with_processes(limits: dict[str, Limit], processes: Processes) -> dict[str, Limit]:
    """Add the use that only the processes show. Root is exempt from the limit on pipes."""
    found = dict(limits)
    users = {user: count for user, count in processes.pipes.items() if user != 0}
    if users:
        user, count = max(users.items(), key=lambda item: (item[1], -item[0]))
        for name in ("fs.pipe-user-pages-soft", "fs.pipe-user-pages-hard"):
            found[name] = replace(
                found[name],
                use=count * _PAGES_A_PIPE,
                who=f"uid {user}, {count} pipe{'s' if count != 1 else ''}",
                estimated=True,
            )
    _own(found, "RLIMIT_NOFILE", processes.fullest_files)
    _own(found, "RLIMIT_MEMLOCK", processes.fullest_locked)
    return found


def _own(found: dict[str, Limit], name: str, fullest: Fullest | None) -> None:
    """A limit of each process has its own value: show the process that is nearest to its own."""
    if fullest is not None:
        about = found[name]
        who = f"{fullest.command} (pid {fullest.pid})"
        found[f"{name} of the fullest"] = replace(
            about,
            name=f"{name} of the fullest",
            value=fullest.limit,
            use=fullest.use,
            unlimited=False,
            hard=None,
            who=who,
        )
