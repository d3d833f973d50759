"""A poller: a spinning SCHED_IDLE process on every vCPU, so that none ever halts.

For kernels where no cpuidle driver can be told to poll. SCHED_IDLE yields only inside its own cgroup, so a
poller belongs in the root group, or in a group of its own directly below the root with cpu.idle = 1
(Documentation/admin-guide/cgroup-v2.rst); anywhere else it is refused: it would take half of a neighbour's vCPU.
"""

import errno
import os
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.host.model import Host
from ipctune.knobs.files import FilePart, allow
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Lasting, Parts, Scope, Value

__all__ = ["GROUP", "KNOBS", "CgroupPart", "cpu_hierarchy", "own_cpu_cgroup"]

GROUP = "ipctune-poller"
_TRIES = 50
_ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified")
for _root in _ROOTS:
    allow(f"{_root}/{GROUP}/cpu.idle")
    allow(f"{_root}/{GROUP}/cgroup.procs")


def own_cpu_cgroup() -> str:
    """The path of our cgroup in the hierarchy that has the cpu controller, `/` for the root group."""
    unified = "/"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return path
        if not controllers:
            unified = path
    return unified


def cpu_hierarchy() -> Path | None:
    """Where the cpu controller's root group is, if a group of ours there could have cpu.idle."""
    for root in map(Path, _ROOTS):
        control = root / "cgroup.subtree_control"
        v1 = (root / "cpu.shares").exists()
        v2 = control.exists() and "cpu" in control.read_text().split()
        if v1 or v2:
            return root
    return None


@dataclass(frozen=True, slots=True)
class CgroupPart:
    """The pollers' own cgroup, `present` (empty, cpu.idle = 1) or `absent`."""

    path: str

    @property
    def where(self) -> str:
        return self.path

    def read(self) -> str | None:
        return "present" if Path(self.path).is_dir() else "absent"

    def write(self, text: str) -> None:
        try:
            if text == "present":
                Path(self.path).mkdir(exist_ok=True)
                FilePart(f"{self.path}/cpu.idle").write("1")
            else:
                _remove(Path(self.path))
        except FileNotFoundError as error:
            if text == "present":
                raise NotPossible(f"{self.path} has no cpu.idle", hint="the kernel is older than 5.15") from error
        except OSError as error:
            raise NotPossible(f"{self.path}: {error.strerror}") from error

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        if original != "absent":
            return []
        return [shlex.join(["remove_group", self.path])]


def _remove(group: Path) -> None:
    """Empty the group and remove it: what was killed takes a moment to be gone."""
    for left in reversed(range(_TRIES)):
        _empty(group)
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or not left:
                raise
            time.sleep(0.02)
        else:
            return


def _empty(group: Path) -> None:
    """End what is left in the group: only pollers of ours are ever put there."""
    procs = group / "cgroup.procs"
    for pid in procs.read_text().split() if procs.exists() else ():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
            os.waitpid(int(pid), os.WNOHANG) if _is_child(int(pid)) else None


def _is_child(pid: int) -> bool:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid()
    except (OSError, IndexError, ValueError):
        return False


def _spin(cpu: int, group: str | None) -> int:
    """Start one poller; it ends by itself when we are gone."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.closerange(3, 4096)  # the lock among them: it must end with our parent
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        if group is not None:
            FilePart(f"{group}/cgroup.procs").write(str(os.getpid()))
        while os.getppid() == parent:
            pass
    finally:
        os._exit(0)


@contextmanager
def _hold_pollers(value: Value) -> Iterator[object]:
    """Pollers on every vCPU that we may use, in a place where they yield to everyone."""
    group = _place()
    cpus = sorted(os.sched_getaffinity(0)) if value["cpus"] == "all" else [int(n) for n in value["cpus"].split(",")]
    pids = [_spin(cpu, group) for cpu in cpus]
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _place() -> str | None:
    """None: stay where we are, the root group. Otherwise the path of the pollers' own group."""
    if own_cpu_cgroup() == "/":
        return None
    root = cpu_hierarchy()
    group = root / GROUP if root else None
    if group is None or not (group / "cpu.idle").exists() or (group / "cpu.idle").read_text().strip() != "1":
        raise NotPossible(
            "a poller here would take CPU from others: it needs a cgroup of its own with cpu.idle = 1",
            hint="kernel 5.15 or newer, and root over the cgroup hierarchy",
        )
    return str(group)


def _parts() -> Parts:
    root = cpu_hierarchy()
    if root is None or own_cpu_cgroup() == "/":
        return {}
    return {"cgroup": CgroupPart(str(root / GROUP))}


def _candidates(host: Host, _hints: Hints) -> Sequence[Value]:
    if not host.privileges.root or host.idle.driver is not None:
        return ()
    if own_cpu_cgroup() == "/":
        return ({"cpus": "all"},)
    return ({"cpus": "all", "cgroup": "present"},) if cpu_hierarchy() else ()


def _why_not(host: Host) -> str:
    if host.idle.driver is not None:
        return f"the {host.idle.driver} driver can be told to poll without a process that spins"
    return "not root, or no cgroup in which a poller yields to everyone"


KNOBS = (
    Knob(
        id="idle-poller",
        title="a SCHED_IDLE poller on each vCPU",
        kind=Kind.LEASE,
        scope=Scope.HOST,
        helps=frozenset({Cause.HALTED_WAKE}),
        parts=_parts,
        candidates=_candidates,
        why_not=_why_not,
        lease=_hold_pollers,
        price="every idle vCPU spins for ever; programs that wait for a disk can become slower",
        reach="every program on this machine, at once",
        source="sched(7) SCHED_IDLE",
        lasting=Lasting.NONE,
        since=(2, 6),
        always_polls=True,
        undo="ends by itself",
    ),
)
