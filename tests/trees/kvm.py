"""KVM guests, made by hand after the kernel's documentation and the distributions' kernel packages."""

from tests.trees.parts import KVM, Files, base, clock, dmi, facts, idle, os_release, topology

__all__ = ["TREES"]

_CLOUD = "6.1.0-28-cloud-amd64"
_DORMANT = {
    f"/lib/modules/{_CLOUD}/modules.builtin": "kernel/drivers/cpuidle/cpuidle-haltpoll.ko\n",
    "/sys/module/cpuidle_haltpoll/parameters/force": "N\n",
}
_HALTPOLL = "/sys/module/haltpoll/parameters"


def debian12_kvm() -> Files:
    """Debian 12 cloud kernel in KVM: haltpoll built in but dormant, menu the only governor, kvm-clock offered."""
    return (
        base("web1", _CLOUD, 2)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1)])
        | clock("tsc", "tsc kvm-clock acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("KVMKVMKVM", kvm=KVM)
        | _DORMANT
        | dmi("QEMU", "Standard PC (i440FX)")
    )


def ubuntu2404_kvm() -> Files:
    """Ubuntu 24.04 in KVM as an unprivileged user: haltpoll is a module, there is no cpuidle driver."""
    release = "6.8.0-45-generic"
    return (
        base("web3", release, 2, root=False)
        | os_release("ubuntu", "24.04", "Ubuntu")
        | topology([(0, 0), (1, 0)])
        | clock("kvm-clock", "kvm-clock tsc acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("KVMKVMKVM", kvm=KVM)
        | {f"/lib/modules/{release}/modules.builtin": "kernel/fs/ext4/ext4.ko\n"}
        | {f"/lib/modules/{release}/modules.dep": "kernel/drivers/cpuidle/cpuidle-haltpoll.ko.zst:\n"}
        | {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}
    )


def kvm_haltpoll() -> Files:
    """A guest whose host gives the realtime hint: the haltpoll driver and governor at upstream's defaults."""
    states = [("POLL", 0, 60 * 10**6), ("haltpoll idle", 1, 9 * 10**9)]
    told = {"ns": "200000", "shrink": "2", "grow": "2", "grow_start": "50000", "allow_shrink": "Y"}
    return (
        base("rt1", "6.12.9-cloud-amd64", 2)
        | os_release("debian", "13", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1)])
        | clock("kvm-clock", "kvm-clock tsc acpi_pm")
        | idle("haltpoll", "haltpoll", "menu haltpoll", states)
        | facts("KVMKVMKVM", kvm=KVM | {"realtime": True})
        | {f"{_HALTPOLL}/guest_halt_poll_{name}": text + "\n" for name, text in told.items()}
        | {"/sys/module/cpuidle_haltpoll/parameters/force": "N\n"}
        | dmi("QEMU", "Standard PC (Q35 + ICH9, 2009)")
    )


def kvm_without_haltpoll() -> Files:
    """A stock guest whose kernel was built without cpuidle-haltpoll: what remains has to be said."""
    release = "6.6.52-0-virt"
    return (
        base("alp1", release, 2)
        | os_release("alpine", "3.20", "Alpine Linux")
        | topology([(0, 0), (0, 1)])
        | clock("kvm-clock", "kvm-clock tsc acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("KVMKVMKVM", kvm=KVM | {"poll_control": False})
        | {f"/lib/modules/{release}/modules.builtin": "kernel/fs/ext4/ext4.ko\n"}
        | {f"/lib/modules/{release}/modules.dep": "kernel/net/sched/sch_fq.ko.gz:\n"}
        | dmi("QEMU", "Standard PC (i440FX + PIIX, 1996)")
    )


def kvm_one_vcpu() -> Files:
    """The smallest plan: one vCPU, which every pair of processes shares."""
    return debian12_kvm() | base("nano", _CLOUD, 1, memory_kb=480_000) | topology([(0, 0)])


def kvm_64_vcpus() -> Files:
    """A large guest: two sockets of 16 cores with siblings, two memory nodes."""
    cores = [(package, core) for package in range(2) for core in range(16) for _ in range(2)]
    nodes = {f"/sys/devices/system/node/node{node}/cpulist": f"{node * 32}-{node * 32 + 31}\n" for node in range(2)}
    return debian12_kvm() | base("big", _CLOUD, 64, memory_kb=263_000_000) | topology(cores) | nodes


def kvm_with_hyperv_leaves() -> Files:
    """KVM that shows Hyper-V's leaf first (hv_* enlightenments): its own follows 0x100 later."""
    leaves = [
        {"base": 0x40000000, "max_leaf": 0x40000005, "vendor": "Microsoft Hv"},
        {"base": 0x40000100, "max_leaf": 0x40000101, "vendor": "KVMKVMKVM"},
    ]
    told = {"hypervisor": True, "vendor": "Microsoft Hv", "kvm": KVM, "leaves": leaves}
    return debian12_kvm() | facts("Microsoft Hv", kvm=KVM, cpuid=told)


def arm64_kvm() -> Files:
    """An arm64 guest: no CPUID, the device tree or DMI tells, WFI to idle."""
    return (
        base("arm1", "6.1.0-28-cloud-arm64", 2)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1)])
        | clock("arch_sys_counter", "arch_sys_counter")
        | idle("none", "menu", "menu", [])
        | facts("unasked", machine="aarch64", cpuid={"hypervisor": None, "vendor": None, "kvm": None})
        | dmi("KubeVirt", "KVM Virtual Machine")
        | {"/proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\n"}
    )


TREES = (
    debian12_kvm,
    ubuntu2404_kvm,
    kvm_haltpoll,
    kvm_without_haltpoll,
    kvm_one_vcpu,
    kvm_64_vcpus,
    kvm_with_hyperv_leaves,
    arm64_kvm,
)
