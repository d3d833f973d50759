"""One look over all processes: who asks for short wake-ups, who is near a limit of its own."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from ipctune.host.bpf import TYPES as BPF_TYPES
from ipctune.host.model import BpfProgram, DeadlineHolder
from ipctune.host.root import Root
from ipctune.host.text import number, pairs

__all__ = ["Fullest", "Processes", "read_processes"]

_DEVICE = "/dev/cpu_dma_latency"
_MOST_PROCESSES = 5000
_MOST_LINKS = 100_000
_MOST_PROGRAMS = 500
_BPF = ("anon_inode:bpf", "anon_inode:[bpf")
_FILTERED = "2"  # SECCOMP_MODE_FILTER, proc_pid_status(5)


@dataclass(frozen=True, slots=True)
class Fullest:
    """The process that is nearest to one of its resource limits."""

    pid: int
    command: str
    use: int
    limit: int


@dataclass(frozen=True, slots=True)
class Processes:
    """`complete` is false where open files of some processes could not be seen.

    `pipes` counts pipes by user, each once. `programs` are eBPF programs that someone holds open, `filtered` the
    commands under seccomp filters and how many of these the deepest has (0: not told).
    """

    latency_holders: tuple[DeadlineHolder, ...]
    pipes: dict[int, int]
    fullest_files: Fullest | None
    fullest_locked: Fullest | None
    complete: bool
    count: int
    programs: tuple[BpfProgram, ...] = ()
    filtered: dict[str, int] = field(default_factory=dict)


def read_processes(root: Root) -> Processes:
    """Look at every process once, within bounds. Processes that end meanwhile are left out."""
    pids = sorted(int(name) for name in root.names("/proc", "[0-9]*") if number(name) is not None)
    scan = _Scan(root)
    for pid in pids[:_MOST_PROCESSES]:
        scan.look(pid)
    return Processes(
        latency_holders=tuple(scan.holders),
        pipes={user: len(inodes) for user, inodes in sorted(scan.pipes.items())},
        fullest_files=_fullest(scan.files),
        fullest_locked=_fullest(scan.locked),
        complete=scan.complete and len(pids) <= _MOST_PROCESSES,
        count=len(pids),
        programs=tuple(scan.programs.values()),
        filtered=dict(sorted(scan.filtered.items())),
    )


class _Scan:
    """What has been seen so far."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.holders: list[DeadlineHolder] = []
        self.pipes: dict[int, set[str]] = defaultdict(set)
        self.files: list[Fullest] = []
        self.locked: list[Fullest] = []
        self.programs: dict[int, BpfProgram] = {}
        self.filtered: dict[str, int] = {}
        self.complete = True
        self._links = 0
        self._myself = number(pairs(root.text("/proc/self/status")).get("Pid"))

    def look(self, pid: int) -> None:
        """One process. A kernel thread has no files and no memory, and costs two reads."""
        status = pairs(self.root.text(f"/proc/{pid}/status"))
        if "VmSize" not in status:
            return
        command = status.get("Name", "?")
        self._open_files(pid, command, _first_number(status.get("Uid")))
        if status.get("Seccomp") == _FILTERED:
            filters = number(status.get("Seccomp_filters")) or 0
            self.filtered[command] = max(filters, self.filtered.get(command, 0))
        locked = number(status.get("VmLck", "").removesuffix("kB"))
        if locked:
            self._against(self.locked, pid, command, locked * 1024, "Max locked memory")

    def _open_files(self, pid: int, command: str, user: int | None) -> None:
        folder = f"/proc/{pid}/fd"
        names = self.root.names(folder)
        if self.root.denied(folder) or self._links + len(names) > _MOST_LINKS:
            self.complete = False
            return
        self._links += len(names)
        links = {name: self.root.link(f"{folder}/{name}") for name in names}
        targets = set(links.values())
        self._held_programs(pid, command, links)
        if any(self.root.denied(f"{folder}/{name}") for name in names):
            self.complete = False
        if _DEVICE in targets:
            self.holders.append(DeadlineHolder(pid, command))
        if pid == self._myself:
            return
        if user is not None:
            self.pipes[user].update(link for link in targets if link and link.startswith("pipe:"))
        self._against(self.files, pid, command, len(names), "Max open files")

    def _held_programs(self, pid: int, command: str, links: Mapping[str, str | None]) -> None:
        """eBPF programs and links that are open: fdinfo tells the program's id, and a raw tracepoint's name."""
        for name, target in links.items():
            if not (target or "").startswith(_BPF) or len(self.programs) >= _MOST_PROGRAMS:
                continue
            told = pairs(self.root.text(f"/proc/{pid}/fdinfo/{name}"))
            ident = number(told.get("prog_id"))
            if ident is None:
                continue
            kind = BPF_TYPES.get(number(told.get("prog_type")) or 0, told.get("link_type", "")[:40])
            have = self.programs.get(ident)
            at = told.get("tp_name", "")[:40] or (have.at if have else "")
            holder = f"{command} (pid {pid})"
            self.programs[ident] = BpfProgram(ident, (have.type if have else "") or kind, "", at, holder, None)

    def _against(self, found: list[Fullest], pid: int, command: str, use: int, limit: str) -> None:
        allowed = soft_limit(self.root.text(f"/proc/{pid}/limits"), limit)
        if allowed is not None and allowed > 0:
            found.append(Fullest(pid, command, use, allowed))


def soft_limit(text: str | None, name: str) -> int | None:
    """The soft limit called `name` in /proc/PID/limits (proc(5)); None for unlimited or unknown."""
    return both_limits(text, name)[0]


def both_limits(text: str | None, name: str) -> tuple[int | None, int | None]:
    """Soft and hard limit called `name` in /proc/PID/limits; None for unlimited or unknown."""
    for line in (text or "").splitlines():
        if line.startswith(name):
            found = line[len(name) :].split()
            return number(found[0]) if found else None, number(found[1]) if len(found) > 1 else None
    return None, None


def _fullest(found: list[Fullest]) -> Fullest | None:
    return max(found, key=lambda one: (one.use / one.limit, -one.pid), default=None)


def _first_number(text: str | None) -> int | None:
    words = (text or "").split()
    return number(words[0]) if words else None
