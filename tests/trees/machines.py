"""Guests of other hypervisors, and no guest: made by hand after the kernel's and the platforms' documentation."""

from tests.trees.parts import Files, base, clock, dmi, facts, flaws, idle, os_release, stat, topology, without

__all__ = ["TREES"]

_SLOW_CLOCK = {"monotonic_ns": 640.0, "getppid_ns": 210.0}


def xen_hvm() -> Files:
    """An older EC2 instance: Xen HVM, whose clock is read by a slow path, TSC offered."""
    return (
        base("ip-host", "6.1.0-28-cloud-amd64", 2)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1)])
        | clock("xen", "xen tsc hpet acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("XenVMMXenVMM", kvm=None, clock=_SLOW_CLOCK)
        | {"/sys/hypervisor/type": "xen\n", "/sys/hypervisor/guest_type": "HVM\n"}
        | dmi("Xen", "HVM domU")
    )


def xen_pv() -> Files:
    """Xen PV: no firmware, CPUID shows the bare processor, only Xen's own files tell."""
    return (
        base("pv1", "5.10.0-33-amd64", 2)
        | os_release("debian", "11", "Debian GNU/Linux")
        | clock("xen", "xen")
        | idle("none", "menu", "ladder menu", [])
        | facts(None, kvm=None, clock=_SLOW_CLOCK)
        | {"/sys/hypervisor/type": "xen\n", "/sys/hypervisor/guest_type": "PV\n"}
        | flaws(meltdown="Unknown (XEN PV detected, hypervisor mitigation required)", l1tf="Mitigation: PTE Inversion")
        | {"/proc/xen/capabilities": "", "/proc/xen/xenbus": ""}
        | {"/proc/cpuinfo": "vendor_id : GenuineIntel\nflags : fpu tsc hypervisor\n"}
    )


def hyperv() -> Files:
    """A guest in Azure: Hyper-V, its own page for the clock, no steal told."""
    return (
        base("az1", "6.8.0-1017-azure", 2)
        | os_release("ubuntu", "24.04", "Ubuntu")
        | topology([(0, 0), (0, 0)])
        | clock("hyperv_clocksource_tsc_page", "hyperv_clocksource_tsc_page hyperv_clocksource_msr acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("Microsoft Hv", kvm=None)
        | {"/proc/stat": stat(2, steal=0)}
        | dmi("Microsoft Corporation", "Virtual Machine")
    )


def vmware() -> Files:
    """A guest of VMware ESXi: TSC, no idle driver, steal only where the host's owner switched its clock on."""
    return (
        base("esx1", "5.14.0-427.el9.x86_64", 4)
        | os_release("rocky", "9.4", "Rocky Linux")
        | topology([(0, 0), (2, 0), (4, 0), (6, 0)])
        | clock("tsc", "tsc acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("VMwareVMware", kvm=None)
        | {"/proc/stat": stat(4, steal=0)}
        | dmi("VMware, Inc.", "VMware7,1")
    )


def bare_metal() -> Files:
    """A server of its own: two sockets, SMT, intel_idle, an old Oracle guide's values in sysctl.d, HPET as clock."""
    cores = [(package, core) for _ in range(2) for package in range(2) for core in range(2)]
    lowered = "kernel.shmmax = 1073741824\nkernel.sem = 250 32000 100 128\n# a comment\npassword=x\n"
    return (
        base("db1", "5.10.0-33-amd64", 8, memory_kb=65_000_000)
        | os_release("debian", "11", "Debian GNU/Linux")
        | topology(cores)
        | clock("hpet", "tsc hpet acpi_pm")
        | idle("intel_idle", "menu", "ladder menu", [("POLL", 0, 5000), ("C1", 2, 10**9), ("C6", 133, 10**10)])
        | facts(None, kvm=None, clock={"monotonic_ns": 1100.0, "getppid_ns": 95.0})
        | flaws(meltdown="Mitigation: PTI", mds="Mitigation: Clear CPU buffers; SMT vulnerable", srbds="Not affected")
        | {"/proc/stat": stat(8, steal=0)}
        | {"/etc/sysctl.d/90-oracle.conf": lowered, "/proc/sys/kernel/shmmax": "1073741824\n"}
        | {"/proc/sys/kernel/sem": "250 32000 100 128\n"}
        | {"/etc/tuned/active_profile": "mine\n"}
        | {"/etc/tuned/mine/tuned.conf": "[sysctl]\nvm.swappiness=10\n[cpu]\nx=1\n"}
    )


def arm64_metal() -> Files:
    """An arm64 server of its own: PSCI idle states, no hypervisor that anything names."""
    return (
        base("arm2", "6.1.0-28-arm64", 4)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1), (0, 2), (0, 3)])
        | clock("arch_sys_counter", "arch_sys_counter")
        | idle("psci_idle", "menu", "menu", [("WFI", 1, 10**9), ("cpu-sleep-0", 80, 10**10)])
        | facts("unasked", machine="aarch64", cpuid={"hypervisor": None, "vendor": None, "kvm": None})
        | dmi("Amazon EC2", "a1.metal")
        | {"/proc/stat": stat(4, steal=0)}
        | {"/proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\n"}
    )


def no_sys() -> Files:
    """A jail without /sys and with little of /proc."""
    return {"/proc/sys/kernel/osrelease": "6.6.1\n", "/proc/stat": "cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n"}


def no_sys_kvm() -> Files:
    """A guest whose /sys is not mounted: only the core tells that it is one."""
    return without(base("jail", "6.1.0-28-cloud-amd64", 2), "/sys/", "/dev/") | facts("KVMKVMKVM", kvm=None)


TREES = (xen_hvm, xen_pv, hyperv, vmware, bare_metal, arm64_metal, no_sys, no_sys_kvm)
