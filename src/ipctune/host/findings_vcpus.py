"""Findings about the vCPUs themselves: one alone, many far apart, and what remains where none can be told to poll."""

from collections.abc import Iterator

from ipctune.host.finding import Finding
from ipctune.host.findings_idle import REMAINS, always_polls
from ipctune.host.model import Host

__all__ = ["vcpu_findings"]

_GAIN = "`ipctune tune` shows with a poller on each vCPU what there is to gain"
_PERHAPS_KVM = ("KVM", "QEMU or KVM")
_PLAN = "or another plan (vCPUs of your own, a host that polls)"


def vcpu_findings(host: Host) -> Iterator[Finding]:
    """At most one finding about waking, and one about distance."""
    if len(host.cpus.online) == 1:
        yield _alone()
    elif host.cpus.online:
        yield from _remains(host)
    yield from _far_apart(host)


def _alone() -> Finding:
    return Finding(
        "one-vcpu",
        "know",
        "vCPU",
        "there is one: every pair of programs shares it",
        "no message waits for a halted vCPU, as its sender keeps it awake: idle settings gain nothing between "
        "programs, and a program that spins before it waits only keeps the other one off",
        "batching (several messages a write) is what remains; parallel work takes a larger plan",
        52,
    )


def _remains(host: Host) -> Iterator[Finding]:
    """A vCPU that halts, and nothing in reach that lets it poll first."""
    if host.idle.driver is not None or always_polls(host) or _haltpoll_at_hand(host):
        return
    if host.container.name not in (None, "wsl"):
        yield _shut_in(host)
    elif host.hypervisor.virtual and (host.idle.governor or host.idle.governors):
        yield Finding(
            "idle-remains",
            "know",
            "idle vCPU",
            f"no idle driver that can be told to poll: {_why_none(host)}",
            "a message to a halted vCPU waits until the hypervisor runs it again, and no file in here changes that",
            f"what remains: {REMAINS}; {_boot_line(host)}; {_PLAN}. {_GAIN}",
            68,
        )


def _haltpoll_at_hand(host: Host) -> bool:
    """haltpoll loads under KVM alone, and its driver is the machine's, not a container's."""
    there = host.idle.haltpoll_module in ("built-in", "module", "loaded")
    return there and host.hypervisor.name in _PERHAPS_KVM and host.container.name is None


def _why_none(host: Host) -> str:
    if host.kernel.machine == "aarch64":
        return "haltpoll is for x86"
    if host.hypervisor.name in _PERHAPS_KVM:
        absent = host.idle.haltpoll_module == "absent"
        return "this kernel has no cpuidle-haltpoll" if absent else "no sign of cpuidle-haltpoll in this kernel"
    named = host.hypervisor.name != "unnamed"
    return f"haltpoll is for KVM, {f'not for {host.hypervisor.name}' if named else 'and this hypervisor has no name'}"


def _boot_line(host: Host) -> str:
    if host.kernel.machine == "aarch64":
        return "nohlt on the boot command line, which burns every vCPU for ever"
    if host.container.name == "wsl":
        return "kernelCommandLine=idle=poll in .wslconfig, which burns every vCPU for ever"
    if host.hypervisor.name in _PERHAPS_KVM:
        return "a kernel with cpuidle-haltpoll, booted with cpuidle_haltpoll.force=1"
    return "idle=poll on the boot command line, which burns every vCPU for ever"


def _shut_in(host: Host) -> Finding:
    return Finding(
        "idle-remains",
        "know",
        "idle vCPU",
        f"how an idle CPU waits is the host's business, not this container's ({host.container.name})",
        "whether a message to an idle CPU waits for a wake-up can be measured in here, and not changed",
        f"what remains: {REMAINS}; or a virtual machine instead, where the idle driver is yours",
        43,
    )


def _far_apart(host: Host) -> Iterator[Finding]:
    cpus = host.cpus
    nodes, sockets = cpus.nodes or 1, _real_sockets(host)
    if max(nodes, sockets) < 2:
        return
    apart = [f"{n} {what}" for n, what in ((sockets, "sockets"), (nodes, "memory nodes")) if n > 1]
    shown = ", as the hypervisor shows them" if host.hypervisor.virtual else ""
    yield Finding(
        "far-apart",
        "know",
        "vCPU",
        f"{len(cpus.online)} vCPUs in {' and '.join(apart)}{shown}",
        "a cache line that goes between two of them takes longer than one within; a pair that talks much feels it",
        "`ipctune bench` measures a pair of vCPUs; keep talkers together (taskset, CPUAffinity=, numactl)",
        42,
    )


def _real_sockets(host: Host) -> int:
    """Sockets, where they have cores to share: many hosts show each vCPU as a socket of its own, which says nothing."""
    packages = [package for package, _, _ in host.cpus.cores]
    shared = len(packages) > len(set(packages))
    return host.cpus.sockets or 1 if shared else 1
