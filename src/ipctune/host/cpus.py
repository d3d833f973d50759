"""vCPUs, their topology and caches as the hypervisor shows them, and the clock source."""

from ipctune.host.core import Facts
from ipctune.host.model import Cache, Clock, Cpus
from ipctune.host.root import Root
from ipctune.host.text import cpu_list, fields, number, pairs, size, words

__all__ = ["read_clock", "read_cpus"]

_CPU = "/sys/devices/system/cpu"
_CLOCK = "/sys/devices/system/clocksource/clocksource0"


def read_cpus(root: Root) -> Cpus:
    """vCPUs that are online and those that we may use, with what is known of their topology."""
    about = pairs(root.text("/proc/cpuinfo", 1 << 14))
    online = _online(root)
    allowed = cpu_list(pairs(root.text("/proc/self/status")).get("Cpus_allowed_list"))
    cores = _cores(root, online)
    return Cpus(
        online=online,
        allowed=tuple(cpu for cpu in allowed if cpu in online) or online,
        model=about.get("model name") or about.get("CPU implementer"),
        sockets=len({package for package, _, _ in cores}) or None,
        cores=cores,
        smt=any(len(cpus) > 1 for _, _, cpus in cores) if cores else None,
        nodes=len(root.names("/sys/devices/system/node", "node[0-9]*")) or None,
        caches=_caches(root),
        frequency_driver=root.line(f"{_CPU}/cpu0/cpufreq/scaling_driver"),
        frequency_governor=root.line(f"{_CPU}/cpu0/cpufreq/scaling_governor"),
        isolated=cpu_list(root.text(f"{_CPU}/isolated")),
    )


def read_clock(root: Root, facts: Facts) -> Clock:
    """The clock source, and what reading the clock and a system call cost."""
    return Clock(
        source=root.line(f"{_CLOCK}/current_clocksource"),
        available=words(root.text(f"{_CLOCK}/available_clocksource")),
        monotonic_ns=facts.value(float, "clock", "monotonic_ns"),
        syscall_ns=facts.value(float, "clock", "getppid_ns"),
    )


def _online(root: Root) -> tuple[int, ...]:
    listed = cpu_list(root.text(f"{_CPU}/online"))
    if listed:
        return listed
    stat = (row[0] for row in fields(root.text("/proc/stat", 1 << 20)) if row[0].startswith("cpu"))
    found = {number(name[3:]) for name in stat}
    return tuple(sorted(cpu for cpu in found if cpu is not None and cpu >= 0))


def _cores(root: Root, online: tuple[int, ...]) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    cores: dict[tuple[int, int], list[int]] = {}
    for cpu in online:
        folder = f"{_CPU}/cpu{cpu}/topology"
        package = number(root.text(f"{folder}/physical_package_id"))
        core = number(root.text(f"{folder}/core_id"))
        if package is not None and core is not None:
            cores.setdefault((package, core), []).append(cpu)
    return tuple((package, core, tuple(cpus)) for (package, core), cpus in sorted(cores.items()))


def _caches(root: Root) -> tuple[Cache, ...]:
    found: list[Cache] = []
    for name in root.names(f"{_CPU}/cpu0/cache", "index[0-9]*"):
        folder = f"{_CPU}/cpu0/cache/{name}"
        level, total = number(root.text(f"{folder}/level")), size(root.text(f"{folder}/size"))
        shared = cpu_list(root.text(f"{folder}/shared_cpu_list"))
        if level is not None and total is not None:
            found.append(Cache(level, root.line(f"{folder}/type") or "", total, shared))
    return tuple(found)
