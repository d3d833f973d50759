"""What a test run must not change: kernel settings, leases, IPC objects, files and processes of ours."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["differences", "left", "snapshot"]

_SETTINGS = (
    "/sys/module/haltpoll/parameters/*",
    "/sys/module/cpuidle_haltpoll/parameters/*",
    "/sys/devices/system/cpu/cpuidle/current_governor",
    "/sys/devices/system/cpu/cpuidle/current_driver",
    "/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us",
    "/sys/devices/system/cpu/cpu*/online",
    "/proc/sys/kernel/msg*",
    "/proc/sys/kernel/shm*",
    "/proc/sys/kernel/sem",
    "/proc/sys/fs/mqueue/*",
    "/proc/sys/fs/pipe-*",
    "/proc/sys/net/core/*mem_*",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/net/unix/max_dgram_qlen",
    "/proc/sys/kernel/sched_autogroup_enabled",
    "/proc/sys/vm/swappiness",
    "/proc/sys/vm/nr_hugepages",
    "/sys/kernel/mm/transparent_hugepage/*enabled",
    "/proc/swaps",
)
_OBJECTS = (
    "/dev/shm/*",
    "/dev/mqueue/*",
    "/etc/sysctl.d/*ipctune*",
    "/etc/tmpfiles.d/*ipctune*",
    "/etc/modules-load.d/*ipctune*",
    "/etc/modprobe.d/*ipctune*",
    "/etc/systemd/system/*ipctune*",
    "/run/systemd/transient/*ipctune*",
    "/run/ipctune*",
    "/sys/fs/cgroup/*ipctune*",
    "/sys/fs/cgroup/*/*ipctune*",
)
_SYSV = ("msg", "sem", "shm")
_OURS = b"ipctune"
_LEASE = "/dev/cpu_dma_latency"


def snapshot() -> Mapping[str, str]:
    """What the machine looks like now: a name for each setting or thing of interest, and its value."""
    return dict(_everything())


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What changed, in words; empty where nothing did. A process that has ended is nothing left."""
    ended = {name for name in before.keys() - after.keys() if name.startswith("process ")}
    names = sorted((before.keys() | after.keys()) - ended)
    return [
        f"{name}: {before.get(name, 'absent')} → {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def left(before: Mapping[str, str], patience: float = 3.0) -> list[str]:
    """What differs from `before` still after `patience` seconds: what is ending may end."""
    end = time.monotonic() + patience
    while (found := differences(before, snapshot())) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _everything() -> Iterator[tuple[str, str]]:
    for pattern in _SETTINGS:
        for path in _matching(pattern):
            yield str(path), _text(path)
    for pattern in _OBJECTS:
        for path in _matching(pattern):
            yield str(path), "present"
    for kind in _SYSV:
        for line in _text(Path("/proc/sysvipc", kind)).splitlines()[1:]:
            yield f"System V {kind} {line.split()[1]}", "present"
    for process in Path("/proc").glob("[0-9]*"):
        yield from _of_process(process)


def _of_process(process: Path) -> Iterator[tuple[str, str]]:
    name = _text(process / "comm")
    if _OURS in _command(process):
        yield f"process {process.name} ({name})", "running"
    if _holds_lease(process):
        yield f"process {process.name} ({name}) and {_LEASE}", "held"


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _holds_lease(process: Path) -> bool:
    try:
        return any(str(entry.readlink()) == _LEASE for entry in (process / "fd").iterdir())
    except OSError:
        return False


def _matching(pattern: str) -> list[Path]:
    return sorted(Path("/").glob(pattern.lstrip("/")))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        return f"unreadable ({error.errno})"
