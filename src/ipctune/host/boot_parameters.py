"""Parameters of the kernel's boot command line that change how this machine idles, wakes, schedules or counts.

Defaults are upstream's (kernel: Documentation/admin-guide/kernel-parameters.txt and the source of the
module). What is not in the table is shown as it is, without a claim.
"""

from ipctune.host.model import BootParameter
from ipctune.host.scrub import boot_value

__all__ = ["parse"]

_KNOWN: dict[str, tuple[str, str]] = {
    "cpuidle_haltpoll.force": (
        "0",
        "the haltpoll driver loads without the host's hint",
    ),
    "cpuidle_haltpoll": ("0", "the haltpoll driver's own options"),
    "haltpoll.guest_halt_poll_ns": ("200000", "how long an idle vCPU polls before it halts (haltpoll governor)"),
    "haltpoll.guest_halt_poll_shrink": ("2", "how fast the polling time falls"),
    "haltpoll.guest_halt_poll_grow": ("2", "how fast the polling time grows"),
    "haltpoll.guest_halt_poll_grow_start": ("50000", "the first polling time"),
    "haltpoll.guest_halt_poll_allow_shrink": ("Y", "whether the polling time falls at all"),
    "cpuidle.governor": ("chosen by rating", "which governor picks the idle state"),
    "cpuidle.off": ("0", "no cpuidle: an idle vCPU uses the plain instruction"),
    "idle": ("not set", "how an idle vCPU waits: poll burns it, halt and nomwait leave out states"),
    "nohlt": ("not set", "an idle vCPU polls instead of halting"),
    "hlt": ("on", "an idle vCPU may halt"),
    "no-hlt": ("not set", "an idle vCPU polls instead of halting"),
    "processor.max_cstate": ("deepest", "the deepest idle state of the ACPI driver"),
    "intel_idle.max_cstate": ("deepest", "the deepest idle state of intel_idle; 0 turns it off"),
    "no_timer_check": ("not set", "no check of the timer interrupt"),
    "mitigations": ("auto", "mitigations of CPU flaws, paid for at system calls and switches"),
    "nopti": ("not set", "no page-table isolation: cheaper system calls, less protection"),
    "pti": ("auto", "page-table isolation, paid for at every system call"),
    "nospectre_v2": ("not set", "no Spectre v2 mitigation"),
    "nospectre_v1": ("not set", "no Spectre v1 mitigation"),
    "spectre_v2": ("auto", "the Spectre v2 mitigation, paid for at indirect calls"),
    "spec_store_bypass_disable": ("auto", "the store bypass mitigation"),
    "retbleed": ("auto", "the retbleed mitigation, paid for at kernel entries"),
    "mds": ("full", "the MDS mitigation, paid for on the way out of the kernel and into idle"),
    "l1tf": ("flush", "the L1TF mitigation"),
    "nosmt": ("not set", "sibling threads are off"),
    "isolcpus": ("none", "the scheduler keeps tasks off these vCPUs unless they are pinned there"),
    "nohz_full": ("none", "these vCPUs run without a tick while one task runs; system calls cost more"),
    "nohz": ("on", "whether an idle vCPU stops its tick"),
    "highres": ("on", "high-resolution timers"),
    "rcu_nocbs": ("none", "RCU callbacks of these vCPUs run elsewhere"),
    "maxcpus": ("all", "how many vCPUs are started"),
    "nr_cpus": ("all", "how many vCPUs the kernel can have"),
    "nosmp": ("not set", "one vCPU only"),
    "preempt": ("as built", "the preemption model: none, voluntary, full, lazy"),
    "threadirqs": ("not set", "interrupt handlers run as threads"),
    "irqaffinity": ("all", "which vCPUs take interrupts"),
    "noautogroup": ("autogroup as built", "no grouping of tasks by session"),
    "schedstats": ("disable", "scheduler statistics, a small cost at every switch"),
    "psi": ("as built", "pressure stall information"),
    "clocksource": ("chosen by rating", "the clock source"),
    "tsc": ("checked", "trust in the TSC: reliable, unstable, nowatchdog"),
    "no-kvmclock": ("not set", "no kvm-clock"),
    "no-steal-acc": ("not set", "no accounting of steal"),
    "nopv": ("not set", "no paravirtualisation: slower wake-ups, locks and clock"),
    "nopvspin": ("not set", "no paravirtual spin locks"),
    "xen_nopv": ("not set", "no Xen paravirtualisation"),
    "hv_nopvspin": ("not set", "no Hyper-V paravirtual spin locks"),
    "transparent_hugepage": ("as built", "transparent huge pages"),
    "transparent_hugepage_shmem": ("never", "huge pages for shared memory"),
    "transparent_hugepage_tmpfs": ("never", "huge pages for tmpfs and /dev/shm"),
    "hugepages": ("0", "huge pages reserved at boot"),
    "hugepagesz": ("2M", "the size of reserved huge pages"),
    "default_hugepagesz": ("2M", "the default size of huge pages"),
    "numa_balancing": ("enable", "moving memory to the node of its user"),
    "systemd.unified_cgroup_hierarchy": ("1", "cgroup v2 (1) or v1 (0)"),
    "cgroup_no_v1": ("none", "cgroup v1 controllers that are off"),
    "cgroup_disable": ("none", "cgroup controllers that are off"),
    "cgroup.memory": ("all counted", "what the memory controller leaves out"),
    "swapaccount": ("1", "counting of swap by the memory controller"),
    "apparmor": ("as built", "AppArmor"),
    "selinux": ("as built", "SELinux"),
    "lsm": ("as built", "the order of security modules"),
    "security": ("as built", "the security module"),
    "lockdown": ("none", "kernel lockdown: no debugfs knobs, no kernel tracing"),
    "audit": ("0", "auditing, paid for at every system call"),
    "skew_tick": ("0", "ticks of vCPUs apart from each other"),
    "init_on_alloc": ("as built", "pages are zeroed when allocated"),
    "init_on_free": ("as built", "pages are zeroed when freed"),
    "page_poison": ("off", "freed pages are overwritten"),
    "slub_debug": ("off", "checks of the kernel's allocator, slow"),
    "nomodule": ("not set", "no kernel modules can be loaded"),
    "modprobe.blacklist": ("none", "kernel modules that are not loaded by themselves"),
    "rcupdate.rcu_expedited": ("0", "RCU grace periods are hurried"),
    "sched_vcpu_pack": ("no such parameter", "a setting of this kernel's own patch to the scheduler"),
    "nowatchdog": ("not set", "no lockup detectors"),
    "nmi_watchdog": ("as built", "the hard-lockup detector"),
}
_SCHEDULER = "sched_"
_MOST = 400


def parse(text: str | None) -> tuple[BootParameter, ...]:
    """The parameters of /proc/cmdline in order. What follows `--` is for init, and left out."""
    found: list[BootParameter] = []
    for word in _split(text or "")[:_MOST]:
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name:
            found.append(_parameter(name, value if equals else None))
    return tuple(found)


def _split(text: str) -> list[str]:
    """Words, where double quotes keep spaces together as the kernel's parser has it."""
    words, word, quoted = list[str](), "", False
    for char in text.strip():
        if char == '"':
            quoted = not quoted
        elif char.isspace() and not quoted:
            words, word = [*words, word] if word else words, ""
        else:
            word += char
    return [*words, word] if word else words


def _parameter(name: str, value: str | None) -> BootParameter:
    known = _KNOWN.get(name.replace("-", "_")) or _KNOWN.get(name)
    shown = None if value is None else boot_value(name, value)
    if known:
        return BootParameter(name, shown, *known)
    if name.startswith(_SCHEDULER):
        return BootParameter(name, shown, "its default", "a setting of the scheduler")
    return BootParameter(name if name.isprintable() else "(unreadable)", shown)
