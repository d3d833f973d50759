"""Everything about one machine, read once."""

from ipctune.host.cgroup import read_cgroup
from ipctune.host.core import Facts, read_facts
from ipctune.host.cpus import read_clock, read_cpus
from ipctune.host.idle import read_idle
from ipctune.host.kernel import read_kernel, read_os
from ipctune.host.limits import read_limits
from ipctune.host.memory import read_memory, read_pressure
from ipctune.host.model import Host, Unseen
from ipctune.host.privileges import read_privileges
from ipctune.host.processes import Processes, read_processes
from ipctune.host.root import Root
from ipctune.host.settings import read_settings
from ipctune.host.steal import read_steal
from ipctune.host.tax import read_tax
from ipctune.host.text import number
from ipctune.host.virtual import read_container, read_hypervisor

__all__ = ["read"]


def read(root: Root | None = None, *, quick: bool = False) -> Host:
    """Read the machine behind `root`, this one by default. `quick` leaves out the look at steal."""
    root = root or Root()
    facts = read_facts(root, quick=quick)
    processes = read_processes(root)
    hypervisor = read_hypervisor(root, facts)
    kernel = read_kernel(root, facts)
    cpus = read_cpus(root)
    memory = read_memory(root, facts)
    return Host(
        hostname=root.line("/proc/sys/kernel/hostname"),
        boot_id=root.line("/proc/sys/kernel/random/boot_id"),
        recorded=not root.live,
        uptime_s=_uptime(root),
        os=read_os(root),
        kernel=kernel,
        hypervisor=hypervisor,
        container=read_container(root),
        cpus=cpus,
        clock=read_clock(root, facts),
        idle=read_idle(root, facts, kernel.release, cpus.online, processes),
        steal=read_steal(root, facts, hypervisor),
        memory=memory,
        cgroup=read_cgroup(root),
        pressure=read_pressure(root),
        privileges=read_privileges(root),
        limits=read_limits(root, facts, processes, kernel.version, memory.page),
        settings=read_settings(root),
        systemd=root.exists("/run/systemd/system"),
        core=facts.core,
        unseen=_unseen(root, facts, processes),
        tax=read_tax(root, facts, processes),
    )


def _uptime(root: Root) -> float | None:
    whole = (root.line("/proc/uptime") or "").partition(".")[0]
    seconds = number(whole)
    return None if seconds is None else float(seconds)


def _unseen(root: Root, facts: Facts, processes: Processes) -> tuple[Unseen, ...]:
    """What could not be read for lack of privileges or of the core. What is not there is no news."""
    found = [] if facts.core else [Unseen("CPUID, clock cost, jitter", facts.why)]
    if not processes.complete:
        found.append(Unseen("open files of some processes", "permission denied"))
    denied = sorted(path for path in root.errors if root.denied(path) and not _process(path))
    return (*found, *(Unseen(path, "permission denied") for path in denied))


def _process(path: str) -> bool:
    parts = path.split("/")
    return path != "/proc/1/environ" and len(parts) > 2 and parts[1] == "proc" and number(parts[2]) is not None
