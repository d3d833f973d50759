"""One look over all processes: whose they are, which namespaces they stand in, what they have open."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ipctune.host.processes import both_limits
from ipctune.host.root import Root
from ipctune.host.text import number, pairs
from ipctune.services.model import Holder, Service
from ipctune.services.naming import container_names, service_of

__all__ = ["End", "Process", "Processes", "read_processes"]

_MOST_PROCESSES = 5000
_MOST_LINKS = 200_000
_LINK = re.compile(r"(pipe|socket):\[(\d+)\]")
_SPACES = ("net", "ipc", "mnt", "pid")
_TITLES = {"RLIMIT_NOFILE": "Max open files", "RLIMIT_MEMLOCK": "Max locked memory",
           "RLIMIT_MSGQUEUE": "Max msgqueue size"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class End:
    """One descriptor that is a pipe or a socket."""

    fd: int
    kind: str
    inode: int
    reads: bool = True
    writes: bool = True


@dataclass(frozen=True, slots=True)
class Process:
    """A process. `files` are its open descriptors, `table` the size that its table of them has grown to.

    `uids` are real, effective, saved and file system uid as seen from here; `spaces` the inodes of its namespaces;
    `limits` soft limits, None for unlimited. `blind` is set where its descriptors may not be seen.
    """

    pid: int
    program: str
    service: Service
    uids: tuple[int, ...]
    spaces: dict[str, int]
    limits: dict[str, int | None]
    files: int = 0
    table: int | None = None
    locked: int = 0
    ends: tuple[End, ...] = ()
    blind: bool = False

    @property
    def holder(self) -> Holder:
        """The process as the holder of something."""
        return Holder(self.pid, self.program, self.service)

    @property
    def uid(self) -> int:
        """The effective uid; -1 where it is not known."""
        return self.uids[1] if len(self.uids) > 1 else -1


@dataclass(frozen=True, slots=True)
class Processes:
    """`me` is ourselves, who are not in `all`; `complete` is whether every process is in it."""

    all: tuple[Process, ...]
    me: Process
    complete: bool

    @property
    def own(self) -> dict[str, int]:
        """Our own namespaces."""
        return self.me.spaces

    @property
    def blind(self) -> tuple[Holder, ...]:
        """Processes whose open files could not be seen, or not all of them."""
        return tuple(process.holder for process in self.all if process.blind)

    def by_space(self, kind: str) -> dict[int, Process]:
        """For each namespace of that kind, the process that stands for it; our own namespace comes first.

        PID 1 or the lowest pid is the one least likely to end while we look.
        """
        found: dict[int, Process] = {}
        for process in sorted(
            (*self.all, self.me), key=lambda one: (one.spaces.get(kind) != self.own.get(kind), one.pid)
        ):
            inode = process.spaces.get(kind)
            if inode is not None:
                found.setdefault(inode, process)
        return found

    def place(self, kind: str, process: Process) -> str:
        """What to call the namespace of `process`: empty for our own."""
        if process.spaces.get(kind) == self.own.get(kind):
            return ""
        if process.service.kind != "program":
            return process.holder.label.removeprefix(process.program).strip(" ()")
        return f"namespace of {process.program} (pid {process.pid})"

    def holders(self) -> dict[int, list[tuple[Process, End]]]:
        """Who has each pipe or socket open, by inode."""
        found: dict[int, list[tuple[Process, End]]] = {}
        for process in self.all:
            for end in process.ends:
                found.setdefault(end.inode, []).append((process, end))
        return found

    @property
    def live_uids(self) -> frozenset[int]:
        """Every uid under which anything runs, real, effective, saved or for files."""
        return frozenset(uid for process in (*self.all, self.me) for uid in process.uids)


def read_processes(root: Root) -> Processes:
    """Look at every process once, within bounds; kernel threads and ourselves are left out."""
    pids = sorted(int(name) for name in root.names("/proc", "[0-9]*") if number(name) is not None)
    names = container_names(root)
    myself = number(pairs(root.text("/proc/self/status")).get("Pid")) or 0
    found: list[Process] = []
    left = _MOST_LINKS
    for pid in pids[:_MOST_PROCESSES]:
        one = _process(root, pid, names, left) if pid != myself else None
        if one is not None:
            found.append(one)
            left -= one.files
    me = _process(root, myself, names, 0) or Process(myself, "ipctune", Service("ipctune", "program"), (), {}, {})
    return Processes(tuple(found), me, len(pids) <= _MOST_PROCESSES)


def _process(root: Root, pid: int, names: dict[str, str], left: int) -> Process | None:
    status = pairs(root.text(f"/proc/{pid}/status"))
    if "VmSize" not in status:
        return None
    program = status.get("Name", "?")
    folder = f"/proc/{pid}/fd"
    fds = root.names(folder)
    ends = tuple(_ends(root, folder, fds)) if len(fds) <= left else ()
    return Process(
        pid=pid,
        program=program,
        service=service_of(root.text(f"/proc/{pid}/cgroup"), program, names),
        uids=tuple(int(word) for word in status.get("Uid", "").split() if number(word) is not None),
        spaces=_spaces(root, str(pid)),
        limits={name: both_limits(root.text(f"/proc/{pid}/limits"), title)[0] for name, title in _TITLES.items()},
        files=len(fds),
        table=number(status.get("FDSize")),
        locked=(number(status.get("VmLck", "").removesuffix("kB")) or 0) << 10,
        ends=ends,
        blind=root.denied(folder) or any(root.denied(f"{folder}/{name}") for name in fds) or len(fds) > left > 0,
    )


def _ends(root: Root, folder: str, fds: tuple[str, ...]) -> Iterator[End]:
    for name in fds:
        path = f"{folder}/{name}"
        found = _LINK.fullmatch(root.link(path) or "")
        if found:
            reads, writes = _directions(path) if root.live and found[1] == "pipe" else (True, True)
            yield End(int(name), found[1], int(found[2]), reads, writes)


def _directions(path: str) -> tuple[bool, bool]:
    """Whether a descriptor is open for reading and for writing: the mode of its link says so (proc(5))."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return True, True
    return bool(mode & stat.S_IRUSR), bool(mode & stat.S_IWUSR)


def _spaces(root: Root, who: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind in _SPACES:
        inode = number((root.link(f"/proc/{who}/ns/{kind}") or "").partition("[")[2].rstrip("]"))
        if inode is not None:
            found[kind] = inode
    return found
