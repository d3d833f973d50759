"""A process and all that descends from it: who they are, what CPU they used, and their end.

For a process that is the reaper of its descendants (PR_SET_CHILD_SUBREAPER, prctl(2)): one whose parent has ended
becomes a child of the reaper, so nothing gets away from it, whatever session or group it puts itself into.
"""

import ctypes
import os
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["become_reaper", "cpu_ns", "descendants", "die_with_parent", "end", "end_marked", "reap"]

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36  # linux/prctl.h
_TICK_NS = 10_000_000  # USER_HZ is 100 on every Linux
_PATIENCE, _LIMIT = 1.0, 10.0  # seconds for SIGTERM, and for everything


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def become_reaper() -> None:
    """From now on orphans among our descendants are our children. Raises OSError."""
    _prctl(_SET_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """In a child, before it executes: SIGKILL as soon as `parent` ends."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def descendants() -> list[int]:
    """Everything that descends from this process, zombies too (proc_pid_stat(5))."""
    children: dict[int, list[int]] = {}
    for pid in _processes():
        if fields := _stat(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found, waiting = [], [os.getpid()]
    while waiting:
        new = children.pop(waiting.pop(), [])
        found += new
        waiting += new
    return found


def _stat(pid: int) -> list[str]:
    """The fields from the state on; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def cpu_ns() -> int:
    """CPU time of all descendants so far, of those that have ended and of those that live.

    Sources: getrusage(2) RUSAGE_CHILDREN for who was reaped, the process CPU clock of the living
    (clock_getcpuclockid(3)), and the 10-ms ticks of what those have reaped themselves.
    """
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = round((reaped.ru_utime + reaped.ru_stime) * 1e9)
    for pid in descendants():
        with suppress(OSError, IndexError):
            total += time.clock_gettime_ns((~pid << 3) | 2)
            fields = _stat(pid)
            total += (int(fields[13]) + int(fields[14])) * _TICK_NS
    return total


def reap() -> dict[int, int]:
    """Children that have ended, each with its wait status."""
    found: dict[int, int] = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            found[pid] = status
    return found


def end(patience: float = _PATIENCE) -> list[int]:
    """End all descendants: SIGTERM first, SIGKILL for what is there after `patience` s. Returns what can't be ended."""
    start = time.monotonic()
    told: set[int] = set()
    while True:
        reap()
        left = descendants()
        if not left or time.monotonic() - start > _LIMIT:
            return left
        late = time.monotonic() - start > patience
        for pid in left:
            if late or pid not in told:
                _send(pid, signal.SIGKILL if late else signal.SIGTERM)
        told.update(left)
        time.sleep(0.005)


def end_marked(mark: str) -> None:
    """SIGKILL for all whose environment has `mark`: what a reaper left that was killed itself (proc_pid_environ(5))."""
    wanted = f"\0{mark}\0".encode()
    for _ in range(10):
        found = [pid for pid in _processes() if pid != os.getpid() and wanted in _environment(pid)]
        if not found:
            return
        for pid in found:
            _send(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]


def _environment(pid: int) -> bytes:
    try:
        return b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        if number is signal.SIGTERM:
            os.kill(pid, signal.SIGCONT)  # one that is stopped would not see it
