"""Who and where we are: boot id, namespaces, and processes told apart by their start time."""

import os
from pathlib import Path

__all__ = ["alive", "boot_id", "namespaces", "start_time"]


def boot_id() -> str:
    """The id of this boot, as random(4) describes it; empty where /proc is not there."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def namespaces() -> dict[str, int]:
    """Inode numbers of the IPC and network namespaces we are in (namespaces(7))."""
    found = {}
    for name in ("ipc", "net"):
        try:
            found[name] = os.stat(f"/proc/self/ns/{name}").st_ino  # noqa: PTH116
        except OSError:
            continue
    return found


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks after boot (proc_pid_stat(5)); None where it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(pid: int, start: int) -> bool:
    """Whether that very process still runs: the pid may have been given to another since."""
    return start_time(pid) == start
