"""Control groups: which versions, where this process is, and the tightest limit on its way up (cgroups(7))."""

from collections.abc import Iterator

from ipctune.host.model import Cgroup, Quota
from ipctune.host.root import Root
from ipctune.host.text import cpu_list, cpu_ranges, fields, number, words

__all__ = ["memory_room", "read_cgroup"]

_V1_NO_LIMIT = 1 << 62
_DEEPEST = 30
_MEMORY = (
    ("", "memory.max", "memory.current"),
    ("", "memory.high", "memory.current"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def read_cgroup(root: Root) -> Cgroup:
    """Versions that are mounted, own paths by controller, and own limits."""
    mounts = _mounts(root)
    paths = _paths(root)
    limits: list[Quota] = []
    if "" in mounts and "" in paths:
        limits += _v2_limits(root, mounts[""], paths[""])
    for controller in ("cpu", "memory", "pids", "cpuset"):
        if controller in mounts and controller in paths:
            limits += _v1_limits(root, controller, mounts[controller], paths[controller])
    versions = ({2} if "" in mounts else set()) | ({1} if any(mounts) else set())
    controllers = words(root.text(f"{mounts['']}/cgroup.controllers")) if "" in mounts else ()
    return Cgroup(tuple(sorted(versions)), paths, controllers, _tightest(limits))


def memory_room(root: Root) -> tuple[int, int] | None:
    """The tightest limit of memory on our way up, in bytes, and what it still leaves; None: no limit.

    Cache that can be given back counts as free. Source: Documentation/admin-guide/cgroup-v2.rst (memory.max,
    memory.high, memory.current, memory.stat), and of version 1 cgroup-v1/memory.rst.
    """
    mounts, paths = _mounts(root), _paths(root)
    found = []
    for controller, limit, use in _MEMORY:
        if controller in mounts and controller in paths:
            found += [
                room
                for folder in _upwards(mounts[controller], paths[controller])
                if (room := _room(root, folder, limit, use)) is not None
            ]
    return min(found, key=lambda room: room[1], default=None)


def _room(root: Root, folder: str, limit: str, use: str) -> tuple[int, int] | None:
    most, used = number(root.text(f"{folder}/{limit}")), number(root.text(f"{folder}/{use}"))
    if most is None or used is None or most >= _V1_NO_LIMIT:
        return None
    told = {row[0]: row[1] for row in fields(root.text(f"{folder}/memory.stat")) if len(row) > 1}
    cache = number(told.get("total_inactive_file", told.get("inactive_file", "0")))  # v1 sums up under `total_`
    return most, max(0, most - used + (cache or 0))


def _mounts(root: Root) -> dict[str, str]:
    """Mount point by controller; the key of v2 is the empty string."""
    found: dict[str, str] = {}
    for row in fields(root.text("/proc/self/mounts")):
        if len(row) > 3 and row[2] == "cgroup2":
            found.setdefault("", row[1])
        elif len(row) > 3 and row[2] == "cgroup":
            for option in row[3].split(","):
                if option in ("cpu", "memory", "pids", "cpuset", "cpuacct") or "name=" in option:
                    found.setdefault(option, row[1])
    return found


def _paths(root: Root) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (root.text("/proc/self/cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                found[controller] = parts[2]
    return found


def _upwards(mount: str, path: str) -> Iterator[str]:
    """The group's folder and those above it; of a path that leads out of the mount, the mount alone."""
    parts = [] if ".." in path.split("/") else [part for part in path.split("/") if part]
    for depth in range(min(len(parts), _DEEPEST), -1, -1):
        yield "/".join([mount, *parts[:depth]])


def _v2_limits(root: Root, mount: str, path: str) -> Iterator[Quota]:
    for folder in _upwards(mount, path):
        quota = words(root.text(f"{folder}/cpu.max"))
        first, period = (number(w) for w in (*quota, "", "")[:2])
        if first is not None and period:
            yield _quota("cpu", f"{first / period:.2f} vCPU", first / period, "vCPU", folder)
        yield from _plain(root, folder, (("memory.max", "memory"), ("memory.high", "memory, throttled above")))
        yield from _plain(root, folder, (("pids.max", "tasks"),))
        yield from _cpuset(root, folder, "cpuset.cpus.effective")


def _v1_limits(root: Root, controller: str, mount: str, path: str) -> Iterator[Quota]:
    for folder in _upwards(mount, path):
        if controller == "cpu":
            quota = number(root.text(f"{folder}/cpu.cfs_quota_us"))
            period = number(root.text(f"{folder}/cpu.cfs_period_us"))
            if quota is not None and quota > 0 and period:
                yield _quota("cpu", f"{quota / period:.2f} vCPU", quota / period, "vCPU", folder)
        elif controller == "memory":
            yield from _plain(root, folder, (("memory.limit_in_bytes", "memory"),))
        elif controller == "pids":
            yield from _plain(root, folder, (("pids.max", "tasks"),))
        else:
            yield from _cpuset(root, folder, "cpuset.effective_cpus")


def _plain(root: Root, folder: str, files: tuple[tuple[str, str], ...]) -> Iterator[Quota]:
    for name, label in files:
        value = number(root.text(f"{folder}/{name}"))
        if value is not None and value < _V1_NO_LIMIT:
            yield _quota(label, str(value), float(value), "tasks" if label == "tasks" else "bytes", folder)


def _cpuset(root: Root, folder: str, name: str) -> Iterator[Quota]:
    cpus = cpu_list(root.text(f"{folder}/{name}"))
    online = cpu_list(root.text("/sys/devices/system/cpu/online"))
    if cpus and len(cpus) < len(online):
        yield _quota("cpuset", cpu_ranges(cpus), float(len(cpus)), "vCPUs", folder)


def _quota(name: str, text: str, value: float, unit: str, folder: str) -> Quota:
    return Quota(name, text, value, unit, folder)


def _tightest(limits: list[Quota]) -> tuple[Quota, ...]:
    best: dict[str, Quota] = {}
    for one in limits:
        held = best.get(one.name)
        if held is None or (one.value or 0) < (held.value or 0):
            best[one.name] = one
    return tuple(best[name] for name in sorted(best))
