"""Containers and what resembles them: made by hand after their documentation, never compared with a real one."""

from collections.abc import Iterable

from tests.trees.parts import KVM, Files, base, clock, facts, idle, os_release, stat, without

__all__ = ["TREES", "beancounters"]

_ENDLESS = 2**63 - 1
_MIB = 1 << 20


def beancounters(uid: int, rows: Iterable[tuple[str, int, int, int, int, int]]) -> str:
    """/proc/user_beancounters: resource, held, maxheld, barrier, limit, failcnt (OpenVZ: User Beancounters)."""
    names = ("uid", "resource", "held", "maxheld", "barrier", "limit", "failcnt")
    lines = ["Version: 2.5", f"{names[0]:>10}  {names[1]:<12}" + "".join(f"{name:>21}" for name in names[2:])]
    for at, (name, *values) in enumerate(rows):
        head = f"{uid}:" if at == 0 else ""
        lines.append(f"{head:>10}  {name:<12}" + "".join(f"{value:>21}" for value in values))
    return "\n".join(lines) + "\n"


def openvz6() -> Files:
    """OpenVZ 6: kernel 2.6.32, simfs, every bean capped as a small plan has it; shared memory and processes refused."""
    beans = beancounters(
        101,
        [
            ("kmemsize", 13_581_312, 17_031_168, 14_372_700, 14_790_164, 0),
            ("lockedpages", 0, 1014, 2048, 2048, 0),
            ("privvmpages", 61_431, 107_430, 262_144, 292_144, 0),
            ("shmpages", 21_331, 21_504, 21_504, 21_504, 312),
            ("dummy", 0, 0, 0, 0, 0),
            ("numproc", 40, 240, 240, 240, 17),
            ("physpages", 32_017, 51_014, 0, 262_144, 0),
            ("numtcpsock", 26, 60, 360, 360, 0),
            ("tcpsndbuf", 453_480, 1_115_568, 1_720_320, 2_703_360, 0),
            ("tcprcvbuf", 425_984, 1_078_480, 1_720_320, 2_703_360, 0),
            ("othersockbuf", 1_100_000, 1_126_080, 1_126_080, 2_097_152, 4),
            ("dgramrcvbuf", 0, 8472, 262_144, 262_144, 0),
            ("numothersock", 61, 80, 360, 360, 0),
            ("numfile", 1130, 1900, 9312, 9312, 0),
            ("numiptent", 14, 14, 128, 128, 0),
        ],
    )
    mounts = "/dev/simfs / simfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\nsysfs /sys sysfs rw 0 0\n"
    old = {"/proc/sys/kernel/msgmni": "1982\n", "/proc/sys/net/core/somaxconn": "128\n"}
    return _openvz("2.6.32-042stab145.3", beans, mounts) | os_release("centos", "6", "CentOS") | old


def openvz7() -> Files:
    """OpenVZ 7: kernel 3.10, ploop, most beans without end, a refusal of shared memory."""
    beans = beancounters(
        101,
        [
            ("kmemsize", 5_000_000, 6_000_000, _ENDLESS, _ENDLESS, 0),
            ("shmpages", 21_000, 21_504, 21_504, 21_504, 12),
            ("numproc", 40, 60, 240, 240, 0),
            ("numfile", 700, 900, _ENDLESS, _ENDLESS, 0),
        ],
    )
    mounts = "/dev/ploop1p1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n"
    return _openvz("3.10.0-1160.90.1.vz7.200.7", beans, mounts) | os_release("centos", "7", "CentOS Linux")


def openvz7_quiet() -> Files:
    """OpenVZ 7 where nothing is capped and nothing was refused: nothing to ask the provider for."""
    rows = [(name, 40, 60, _ENDLESS, _ENDLESS, 0) for name in ("kmemsize", "shmpages", "numproc", "numothersock")]
    mounts = "/dev/ploop1p1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n"
    return _openvz("3.10.0-1160.90.1.vz7.200.7", beancounters(102, rows), mounts)


def _openvz(release: str, beans: str, mounts: str) -> Files:
    """What both show: their own counters, a processor of the host's, no idle driver, no pressure, no cgroups."""
    files = without(base("vps", release, 2), "/sys/devices", "/sys/fs/cgroup", "/proc/pressure", "/dev/cpu")
    return files | {
        "/proc/self/mounts": mounts,
        "/proc/self/cgroup": "",
        "/proc/user_beancounters": beans,
        "/proc/vz/veinfo": "",
        "/proc/stat": stat(2, steal=0),
        "/proc/cpuinfo": "vendor_id : GenuineIntel\nflags : fpu tsc\n",
    }


def docker_in_kvm() -> Files:
    """A docker container on KVM: overlay root, read-only /proc/sys, own limits, 64 MiB of /dev/shm nearly full."""
    shm = {"total": 64 * _MIB, "used": 58 * _MIB}
    told = facts("KVMKVMKVM", kvm=KVM, observed={"machine": "x86_64", "page": 4096, "shm": shm})
    mounts = (
        "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\nproc /proc/sys proc ro 0 0\n"
        "cgroup /sys/fs/cgroup cgroup2 ro 0 0\n"
    )
    return (
        base("c0ffee", "6.1.0-28-cloud-amd64", 2)
        | os_release("alpine", "3.20", "Alpine Linux")
        | clock("tsc", "tsc kvm-clock")
        | told
        | {"/.dockerenv": "", "/proc/self/mounts": mounts, "/proc/self/cgroup": "0::/\n"}
        | {"/sys/fs/cgroup/cpu.max": "150000 100000\n", "/sys/fs/cgroup/memory.max": "536870912\n"}
    )


def podman() -> Files:
    """A rootless podman container whose runtime says `oci`: its root is a user outside, its network its own."""
    mounts = "fuse-overlayfs / fuse.fuse-overlayfs rw 0 0\nproc /proc proc rw 0 0\nproc /proc/sys proc ro 0 0\n"
    return (
        base("pod1", "5.14.0-427.el9.x86_64", 2)
        | os_release("fedora", "40", "Fedora Linux")
        | clock("tsc", "tsc kvm-clock")
        | idle("none", "menu", "menu", [])
        | facts("KVMKVMKVM", kvm=KVM)
        | {
            "/run/.containerenv": 'engine="podman-5.2.2"\nrootless=1\n',
            "/proc/1/environ": "container=oci\0HOME=/root\0",
            "/proc/self/uid_map": "         0       1000          1\n         1     524288      65536\n",
            "/proc/self/mounts": mounts,
            "/proc/sys/net/core/somaxconn": "4096\n",
        }
    )


def lxc() -> Files:
    """An unprivileged LXC container whose manager says so."""
    return base("ct1", "6.8.12-4-pve", 4) | os_release("debian", "12", "Debian GNU/Linux") | facts("unasked") | {
        "/proc/1/environ": "container=lxc\0TERM=linux\0SECRET_TOKEN=abc\0",
        "/proc/self/uid_map": "0 100000 65536\n",
        "/proc/cpuinfo": "vendor_id : AuthenticAMD\nflags : fpu tsc\n",
    }  # fmt: skip


def lxc_seen_by_a_user() -> Files:
    """The same seen by an unprivileged user: the environment of process 1 is closed, lxcfs below /proc tells."""
    mounts = "/dev/loop0 / ext4 rw 0 0\nproc /proc proc rw 0 0\nlxcfs /proc/meminfo fuse.lxcfs rw 0 0\n"
    files = {path: text for path, text in lxc().items() if path != "/proc/1/environ"}
    return files | base("ct1", "6.8.12-4-pve", 4, root=False) | {"/proc/self/mounts": mounts}


def wsl2() -> Files:
    """WSL 2: Hyper-V below, Microsoft's kernel."""
    return (
        base("laptop", "5.15.167.4-microsoft-standard-WSL2", 8)
        | os_release("ubuntu", "24.04", "Ubuntu")
        | clock("tsc", "tsc hyperv_clocksource_tsc_page")
        | idle("none", "menu", "menu", [])
        | facts("Microsoft Hv", kvm=None)
        | {"/proc/stat": stat(8, steal=0)}
    )


TREES = (openvz6, openvz7, openvz7_quiet, docker_in_kvm, podman, lxc, lxc_seen_by_a_user, wsl2)
