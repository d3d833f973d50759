"""What the kernel runs on (the hypervisor) and what we are shut in (a container): both can be true."""

from ipctune.host.core import Facts
from ipctune.host.model import Container, Hypervisor, KvmFeatures
from ipctune.host.root import Root
from ipctune.host.text import fields, pairs, words

__all__ = ["read_container", "read_hypervisor"]

_VENDORS = {
    "KVMKVMKVM": "KVM",
    "Linux KVM Hv": "KVM",
    "XenVMMXenVMM": "Xen",
    "Microsoft Hv": "Hyper-V",
    "VMwareVMware": "VMware",
    "VBoxVBoxVBox": "VirtualBox",
    "TCGTCGTCGTCG": "QEMU (emulated)",
    "bhyve bhyve": "bhyve",
    "ACRNACRNACRN": "ACRN",
    "prl hyperv": "Parallels",
    "lrpepyh vr": "Parallels",
    "QNXQVMBSQG": "QNX",
    "Jailhouse": "Jailhouse",
    "EVMMEVMMEVMM": "Intel KGT",
}
_DMI = (
    ("Amazon EC2", "KVM"),
    ("KVM", "KVM"),
    ("OpenStack", "KVM"),
    ("Google Compute Engine", "KVM"),
    ("DigitalOcean", "KVM"),
    ("Hetzner", "KVM"),
    ("Scaleway", "KVM"),
    ("Alibaba Cloud", "KVM"),
    ("VMware", "VMware"),
    ("VirtualBox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("HVM domU", "Xen"),
    ("Xen", "Xen"),
    ("Parallels", "Parallels"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "Apple"),
    ("Virtual Machine", "Hyper-V"),
    ("QEMU", "QEMU or KVM"),
    ("Bochs", "QEMU or KVM"),
)
_DMI_FILES = ("sys_vendor", "product_name", "board_vendor", "bios_vendor")
_CLOCKS = {"kvm-clock": "KVM", "xen": "Xen", "hyperv_clocksource_tsc_page": "Hyper-V"}
_SOURCES = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
_CGROUP_NAMES = (
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("lxc.payload", "lxc"),
    ("/lxc/", "lxc"),
    ("machine.slice", "systemd-nspawn"),
)
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_OCI = "container (OCI)"
_RENAMED = {"wsl": "wsl", "oci": _OCI}
_MANAGER_FILES = ("/run/systemd/container", "/run/host/container-manager")


def read_hypervisor(root: Root, facts: Facts) -> Hypervisor:
    """Which hypervisor, by the most direct evidence: CPUID, Xen's files, device tree, clock, DMI."""
    vendor = facts.value(str, "cpuid", "vendor") or None
    product = _product(root)
    evidence = [
        *_from_cpuid(facts, vendor),
        *_from_xen(root),
        *_from_tree(root),
        *_from_wsl(root),
        *_from_clock(root),
        *_from_dmi(root, product),
    ]
    name = evidence[0][0] if evidence else _unnamed(root, facts)
    return Hypervisor(name, vendor, tuple(why for _, why in evidence), _kvm(facts, name), product)


def read_container(root: Root) -> Container:
    """Which container, by the most direct evidence; None also where nothing could be read."""
    manager, marks = _from_manager(root), _from_marks(root)
    if marks and [name for name, _ in manager] == [_OCI]:
        manager, marks = marks, manager  # the runtime's standard says less than its marks
    evidence = [
        *manager,
        *marks,
        *_from_openvz(root),
        *(("wsl", why) for _, why in _from_wsl(root)),
        *_from_cgroup(root),
        *_from_lxcfs(root),
    ]
    return Container(evidence[0][0] if evidence else None, tuple(why for _, why in evidence))


def _from_cpuid(facts: Facts, vendor: str | None) -> list[tuple[str, str]]:
    if not facts.value(bool, "cpuid", "hypervisor"):
        return []
    key = _told(_leaves(facts, vendor))
    return [(_VENDORS.get(key, key[:40] or "unnamed"), f"CPUID says {key[:40] or 'a hypervisor'}")]


def _leaves(facts: Facts, vendor: str | None) -> list[str]:
    """The names that the hypervisor's leaves give, in order."""
    leaves = facts.dig("cpuid", "leaves")
    found = [leaf.get("vendor") for leaf in leaves if isinstance(leaf, dict)] if isinstance(leaves, list) else []
    return [name.strip("\0 ") for name in (vendor, *found) if isinstance(name, str)]


def _told(names: list[str]) -> str:
    """Who it is: KVM and Xen can show Hyper-V's leaf first, for Windows guests, and their own after it."""
    others = [name for name in names if name in _VENDORS and _VENDORS[name] != "Hyper-V"]
    return next(iter([*others, *names]), "")


def _from_xen(root: Root) -> list[tuple[str, str]]:
    kind = root.line("/sys/hypervisor/type")
    guest = root.line("/sys/hypervisor/guest_type")
    control = "control_d" in (root.text("/proc/xen/capabilities") or "")
    told = f"{f' {guest[:10]}' if guest else ''}{', its control domain (dom0)' if control else ''}"
    if kind == "xen":
        return [("Xen", f"/sys/hypervisor says xen{told}")]
    return [("Xen", f"/proc/xen is there{told}")] if root.names("/proc/xen") else []


def _from_tree(root: Root) -> list[tuple[str, str]]:
    tree = " ".join(root.entries("/proc/device-tree/hypervisor/compatible"))
    for mark, name in (("linux,kvm", "KVM"), ("xen,xen", "Xen"), ("vmware", "VMware")):
        if mark in tree:
            return [(name, f"the device tree says {mark}")]
    return []


def _from_wsl(root: Root) -> list[tuple[str, str]]:
    release = root.line("/proc/sys/kernel/osrelease") or ""
    found = "microsoft" in release.lower() or "WSL" in release  # a kernel of the user's own keeps the second
    return [("Hyper-V", f"the kernel is {release[:60]} (WSL)")] if found else []


def _from_clock(root: Root) -> list[tuple[str, str]]:
    offered = words(root.text(_SOURCES))
    return [(name, f"the clock {clock} is offered") for clock, name in _CLOCKS.items() if clock in offered]


def _product(root: Root) -> str | None:
    """Vendor and product as DMI names them, once each; None where there is no DMI."""
    found = (root.line(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    return " ".join(dict.fromkeys(text for text in found if text)) or None


def _from_dmi(root: Root, product: str | None) -> list[tuple[str, str]]:
    text = " ".join(root.line(f"/sys/class/dmi/id/{name}") or "" for name in _DMI_FILES)
    if (product or "").endswith(".metal"):
        return []
    found = next(((name, mark) for mark, name in _DMI if mark in text), None)
    return [(found[0], f"DMI says {found[1]}")] if found else []


def _unnamed(root: Root, facts: Facts) -> str | None:
    """ "none" where the processor says that nothing is below it, "unnamed" where it says otherwise."""
    told = facts.value(bool, "cpuid", "hypervisor")
    flags = pairs(root.text("/proc/cpuinfo", 1 << 14)).get("flags")
    if told is None and flags is not None:
        told = "hypervisor" in flags.split()
    if told is None and (_product(root) or "").endswith(".metal"):
        told = False
    return None if told is None else ("unnamed" if told else "none")


def _kvm(facts: Facts, name: str | None) -> KvmFeatures | None:
    if name != "KVM" or facts.dig("cpuid", "kvm") is None:
        return None
    known = {key: facts.value(bool, "cpuid", "kvm", key) for key in KvmFeatures.__slots__}
    return KvmFeatures(**known)


def _from_manager(root: Root) -> list[tuple[str, str]]:
    """What the container's manager says of itself (systemd: CONTAINER_INTERFACE)."""
    found = [(told, path) for path in _MANAGER_FILES if (told := root.line(path))]
    for entry in root.entries("/proc/1/environ"):
        key, _, value = entry.partition("=")
        if key == "container" and value:
            found.append((value, "the environment of process 1"))
    return [(_RENAMED.get(name, name)[:40], f"{where} says {name[:40]}") for name, where in found]


def _from_marks(root: Root) -> list[tuple[str, str]]:
    marks = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"), ("/dev/lxd", "lxc"))
    found = [(name, f"{path} is there") for path, name in marks if root.exists(path)]
    return [] if found and _is_machine(root) else found


def _is_machine(root: Root) -> bool:
    """Whether this is the machine itself, made from a container's image whose marks are left in it.

    True in the kernel's first PID namespace (its inode is PROC_PID_INIT_INO of include/linux/proc_ns.h)
    with a root file system of its own instead of a container's overlay.
    """
    first = root.link("/proc/self/ns/pid") == _FIRST_PID_NAMESPACE
    kinds = [row[2] for row in _mounts(root) if row[1] == "/"]
    return first and bool(kinds) and "overlay" not in kinds[-1] and kinds[-1] != "aufs"


def _from_openvz(root: Root) -> list[tuple[str, str]]:
    """/proc/vz is in the container and on its host, /proc/bc on the host alone."""
    inside = root.exists("/proc/vz") and not root.exists("/proc/bc")
    counters = "version" in (root.text("/proc/user_beancounters") or "").lower()
    if inside or (counters and not root.exists("/proc/bc")):
        return [("openvz", "/proc/vz is there" if inside else "/proc/user_beancounters is there")]
    return []


def _from_lxcfs(root: Root) -> list[tuple[str, str]]:
    """lxcfs shows a container its own share below /proc; nobody mounts it there on a machine."""
    shown = any(row[2:3] == ["fuse.lxcfs"] and row[1].startswith("/proc/") for row in _mounts(root))
    return [("lxc", "lxcfs is mounted below /proc")] if shown else []


def _mounts(root: Root) -> list[list[str]]:
    return [row for row in fields(root.text("/proc/self/mounts")) if len(row) > 2]


def _from_cgroup(root: Root) -> list[tuple[str, str]]:
    paths = (root.text("/proc/1/cgroup") or "") + (root.text("/proc/self/cgroup") or "")
    return [(name, f"its cgroup is called {mark.strip('/')}") for mark, name in _CGROUP_NAMES if mark in paths]
