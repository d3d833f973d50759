"""One look over all processes: who asks for short wake-ups, who is near a limit of its own."""

from collections import defaultdict
from dataclasses import dataclass

from ipctune.host.model import DeadlineHolder
from ipctune.host.root import Root
from ipctune.host.text import number, pairs

__all__ = ["Fullest", "Processes", "read_processes"]

_DEVICE = "/dev/cpu_dma_latency"
_MOST_PROCESSES = 5000
_MOST_LINKS = 100_000


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

    `pipes` counts pipes by user, each once.
    """

    latency_holders: tuple[DeadlineHolder, ...]
    pipes: dict[int, int]
    fullest_files: Fullest | None
    fullest_locked: Fullest | None
    complete: bool
    count: int


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
    )


class _Scan:
    """What has been seen so far."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.holders: list[DeadlineHolder] = []
        self.pipes: dict[int, set[str]] = defaultdict(set)
        self.files: list[Fullest] = []
        self.locked: list[Fullest] = []
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
        targets = {self.root.link(f"{folder}/{name}") for name in names}
        if any(self.root.denied(f"{folder}/{name}") for name in names):
            self.complete = False
        if _DEVICE in targets:
            self.holders.append(DeadlineHolder(pid, command))
        if pid == self._myself:
            return
        if user is not None:
            self.pipes[user].update(link for link in targets if link and link.startswith("pipe:"))
        self._against(self.files, pid, command, len(names), "Max open files")

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
