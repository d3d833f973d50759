"""Machines to read in tests, as files: made by hand from documentation unless README.md says otherwise."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ipctune.host.root import MappingSource, Root

Files = dict[str, str]

_SYS = "/proc/sys"
_CPU = "/sys/devices/system/cpu"
_CLOCK = "/sys/devices/system/clocksource/clocksource0"
_HUGE_LIMIT = "18446744073692774399"
_KVM = {"steal_time": True, "poll_control": True, "pv_ipi": True, "realtime": False}

_SYSCTLS = {
    "kernel/shmmax": _HUGE_LIMIT, "kernel/shmall": _HUGE_LIMIT, "kernel/shmmni": "4096", "kernel/shm_rmid_forced": "0",
    "kernel/msgmax": "8192", "kernel/msgmnb": "16384", "kernel/msgmni": "32000",
    "kernel/sem": "32000\t1024000000\t500\t32000",
    "fs/mqueue/msg_max": "10", "fs/mqueue/msgsize_max": "8192", "fs/mqueue/queues_max": "256",
    "fs/mqueue/msg_default": "10", "fs/mqueue/msgsize_default": "8192",
    "fs/pipe-max-size": "1048576", "fs/pipe-user-pages-soft": "16384", "fs/pipe-user-pages-hard": "0",
    "fs/file-max": "9223372036854775807", "fs/file-nr": "992\t0\t9223372036854775807", "fs/nr_open": "1048576",
    "net/core/rmem_default": "212992", "net/core/wmem_default": "212992",
    "net/core/rmem_max": "212992", "net/core/wmem_max": "212992", "net/core/somaxconn": "4096",
    "net/unix/max_dgram_qlen": "512", "vm/swappiness": "60", "user/max_user_namespaces": "7641",
    "kernel/unprivileged_bpf_disabled": "2", "kernel/tainted": "0",
    "kernel/random/boot_id": "00000000-0000-0000-0000-000000000000",
}  # fmt: skip

_CALM = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
_LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max locked memory         8388608              8388608              bytes
Max open files            1024                 524288               files
Max msgqueue size         819200               819200               bytes
"""


def base(name: str, release: str, cpus: int, *, root: bool = True, memory_kb: int = 2_013_000) -> Files:
    """What every Linux shows: sysctls, own status, memory, vCPUs, PSI, cgroup v2."""
    caps = "000001ffffffffff" if root else "0000000000000000"
    user = 0 if root else 1000
    files = {f"{_SYS}/{key}": value + "\n" for key, value in _SYSCTLS.items()}
    files |= {
        f"{_SYS}/kernel/hostname": name + "\n",
        f"{_SYS}/kernel/osrelease": release + "\n",
        f"{_SYS}/kernel/version": "#1 SMP PREEMPT_DYNAMIC\n",
        "/proc/self/status": f"Name:\tcat\nUid:\t{user}\t{user}\t{user}\t{user}\nVmSize:\t 2000 kB\n"
        f"CapEff:\t{caps}\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed_list:\t0-{cpus - 1}\n",
        "/proc/self/limits": _LIMITS,
        "/proc/self/uid_map": "         0          0 4294967295\n",
        "/proc/self/cgroup": "0::/user.slice/user-0.slice/session-3.scope\n",
        "/proc/self/mounts": "proc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\n/dev/vda1 / ext4 rw 0 0\n"
        "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nmqueue /dev/mqueue mqueue rw 0 0\n",
        "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
        "/proc/meminfo": f"MemTotal: {memory_kb} kB\nMemFree: {memory_kb // 4} kB\nMemAvailable: {memory_kb // 2} kB\n"
        "Shmem: 20000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        "/proc/stat": "cpu  100000 0 50000 800000 1000 0 500 8000 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n",
        "/proc/uptime": "9600.00 16000.00\n",
        "/proc/pressure/cpu": f"some avg10=0.10 avg60=0.20 avg300=0.30 total=1\n{_CALM.replace('some', 'full')}",
        "/proc/pressure/memory": _CALM + _CALM.replace("some", "full"),
        "/proc/sysvipc/shm": "       key      shmid perms                  size  cpid  lpid nattch\n"
        "         0          1  1600               4194304   800   801      2\n",
        "/proc/sysvipc/msg": "       key      msqid perms      cbytes       qnum\n",
        "/proc/sysvipc/sem": "       key      semid perms      nsems\n         0          3   600         17\n",
        f"{_CPU}/online": f"0-{cpus - 1}\n",
        "/dev/cpu_dma_latency": "",
        "/dev/mqueue/jobs": "QSIZE:0 NOTIFY:0 SIGNO:0 NOTIFY_PID:0\n",
        "/run/systemd/system/marker": "",
        "/proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz root=UUID=12345678-1234-1234-1234-123456789abc ro quiet\n",
    }
    return files | {f"{_CPU}/cpu{cpu}/power/pm_qos_resume_latency_us": "0\n" for cpu in range(cpus)}


def topology(cores: list[tuple[int, int]]) -> Files:
    """Package and core of each vCPU in turn."""
    return {
        f"{_CPU}/cpu{cpu}/topology/{name}": f"{value}\n"
        for cpu, (package, core) in enumerate(cores)
        for name, value in (("physical_package_id", package), ("core_id", core))
    }


def os_release(ident: str, version: str, name: str) -> Files:
    """os-release(5), where distributions keep it."""
    return {"/usr/lib/os-release": f'NAME="{name}"\nID={ident}\nVERSION_ID="{version}"\n'}


def clock(current: str, offered: str) -> Files:
    """The clock source in use and those offered."""
    return {f"{_CLOCK}/current_clocksource": current + "\n", f"{_CLOCK}/available_clocksource": offered + "\n"}


def idle(driver: str, governor: str, governors: str, states: list[tuple[str, int, int]]) -> Files:
    """cpuidle: driver, governor, and (name, latency in µs, time in µs) of each state."""
    files = {
        f"{_CPU}/cpuidle/current_driver": driver + "\n",
        f"{_CPU}/cpuidle/current_governor": governor + "\n",
        f"{_CPU}/cpuidle/available_governors": governors + "\n",
    }
    for index, (name, latency, spent) in enumerate(states):
        told = {"name": name, "latency": str(latency), "time": str(spent), "usage": "10", "disable": "0"}
        files |= {f"{_CPU}/cpu0/cpuidle/state{index}/{key}": value + "\n" for key, value in told.items()}
    return files


def facts(
    vendor: str | None, *, kvm: Mapping[str, bool] | None = None, machine: str = "x86_64", **more: object
) -> Files:
    """facts.json, with the core's answer unless the vendor is "unasked"."""
    told: dict[str, object] = {"observed": {"machine": machine, "page": 4096, "shm": {"total": 1 << 30, "used": 4096}}}
    if vendor != "unasked":
        told["cpuid"] = {"hypervisor": vendor is not None, "vendor": vendor, "kvm": kvm}
        told["clock"] = {"monotonic_ns": 25.0, "getppid_ns": 120.0}
        told["jitter"] = {"seconds": 0.05, "gaps": 3, "lost_percent": 0.4, "longest_us": 41.0}
    return {"/facts.json": json.dumps(told | more)}


def process(pid: int, name: str, user: int, links: list[str]) -> tuple[Files, dict[str, str]]:
    """A process with open files: its files, and the links of its descriptors."""
    status = f"Name:\t{name}\nUid:\t{user}\t{user}\t{user}\t{user}\nVmSize:\t 9000 kB\n"
    files = {f"/proc/{pid}/status": status, f"/proc/{pid}/limits": _LIMITS}
    return files, {f"/proc/{pid}/fd/{number}": link for number, link in enumerate(links)}


def debian12_kvm() -> Files:
    """Debian 12 cloud kernel in KVM: haltpoll built in but dormant, menu the only governor, kvm-clock offered."""
    release = "6.1.0-28-cloud-amd64"
    return (
        base("web1", release, 2)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1)])
        | clock("tsc", "tsc kvm-clock acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("KVMKVMKVM", kvm=_KVM)
        | {f"/lib/modules/{release}/modules.builtin": "kernel/drivers/cpuidle/cpuidle-haltpoll.ko\n"}
        | {"/sys/module/cpuidle_haltpoll/parameters/force": "N\n"}
        | {"/sys/class/dmi/id/sys_vendor": "QEMU\n", "/sys/class/dmi/id/product_name": "Standard PC (i440FX)\n"}
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
        | facts("KVMKVMKVM", kvm=_KVM)
        | {f"/lib/modules/{release}/modules.builtin": "kernel/fs/ext4/ext4.ko\n"}
        | {f"/lib/modules/{release}/modules.dep": "kernel/drivers/cpuidle/cpuidle-haltpoll.ko.zst:\n"}
        | {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}
    )


def xen_hvm() -> Files:
    """An older EC2 instance: Xen HVM, whose clock is read by a slow path, TSC offered."""
    return (
        base("ip-host", "6.1.0-28-cloud-amd64", 1)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0)])
        | clock("xen", "xen tsc hpet acpi_pm")
        | idle("none", "menu", "menu", [])
        | facts("XenVMMXenVMM", kvm=None)
        | {"/sys/hypervisor/type": "xen\n", "/sys/hypervisor/guest_type": "HVM\n"}
        | {"/sys/class/dmi/id/sys_vendor": "Xen\n", "/sys/class/dmi/id/product_name": "HVM domU\n"}
    )


def openvz7() -> Files:
    """OpenVZ 7 from its documentation: kernel 3.10, beancounters, a refusal of shared memory, no cpuidle to see."""
    head = "       uid  resource        held  maxheld  barrier  limit  failcnt\n"
    beans = (
        f"Version: 2.5\n{head}"
        "      101:  kmemsize  5000000  6000000  9223372036854775807  9223372036854775807  0\n"
        "            shmpages  21000  21504  21504  21504  12\n"
        "            numproc  40  60  240  240  0\n"
    )
    dropped = ("/sys/devices", "/proc/pressure", "/dev/cpu")
    files = base("vps", "3.10.0-1160.90.1.vz7.200.7", 1)
    kept = {path: text for path, text in files.items() if not path.startswith(dropped)}
    mounts = {"/proc/self/mounts": "/dev/ploop1p1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n", "/proc/self/cgroup": ""}
    return kept | mounts | os_release("centos", "7", "CentOS Linux") | {
        "/proc/user_beancounters": beans,
        "/proc/vz/veinfo": "",
        "/proc/cpuinfo": "vendor_id : GenuineIntel\nflags : fpu tsc\n",
    }  # fmt: skip


def docker_in_kvm() -> Files:
    """A docker container on KVM: overlay root, read-only /proc/sys, own limits, 64 MiB of /dev/shm nearly full."""
    shm = {"total": 64 << 20, "used": 58 << 20}
    told = facts("KVMKVMKVM", kvm=_KVM, observed={"machine": "x86_64", "page": 4096, "shm": shm})
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


def lxc() -> Files:
    """An unprivileged LXC container whose manager says so."""
    return base("ct1", "6.8.12-4-pve", 4) | os_release("debian", "12", "Debian GNU/Linux") | facts("unasked") | {
        "/proc/1/environ": "container=lxc\0TERM=linux\0SECRET_TOKEN=abc\0",
        "/proc/self/uid_map": "0 100000 65536\n",
        "/proc/cpuinfo": "vendor_id : AuthenticAMD\nflags : fpu tsc\n",
    }  # fmt: skip


def wsl2() -> Files:
    """WSL 2 from its documentation: Hyper-V below, Microsoft's kernel."""
    return (
        base("laptop", "5.15.167.4-microsoft-standard-WSL2", 8)
        | os_release("ubuntu", "24.04", "Ubuntu")
        | clock("tsc", "tsc hyperv_clocksource_tsc_page")
        | facts("Microsoft Hv", kvm=None)
    )


def arm64_kvm() -> Files:
    """An arm64 guest: no CPUID, the device tree or DMI tells, WFI to idle."""
    return (
        base("arm1", "6.1.0-28-cloud-arm64", 2)
        | os_release("debian", "12", "Debian GNU/Linux")
        | topology([(0, 0), (0, 1)])
        | clock("arch_sys_counter", "arch_sys_counter")
        | idle("none", "menu", "menu", [])
        | facts("unasked", machine="aarch64", cpuid={"hypervisor": None, "vendor": None, "kvm": None})
        | {"/sys/class/dmi/id/sys_vendor": "KubeVirt\n", "/sys/class/dmi/id/product_name": "KVM Virtual Machine\n"}
        | {"/proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\n"}
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
        | facts(None, kvm=None)
        | {"/etc/sysctl.d/90-oracle.conf": lowered, "/proc/sys/kernel/shmmax": "1073741824\n"}
        | {"/proc/sys/kernel/sem": "250 32000 100 128\n"}
        | {"/etc/tuned/active_profile": "mine\n"}
        | {"/etc/tuned/mine/tuned.conf": "[sysctl]\nvm.swappiness=10\n[cpu]\nx=1\n"}
    )


def no_sys() -> Files:
    """A jail without /sys and with little of /proc."""
    return {"/proc/sys/kernel/osrelease": "6.6.1\n", "/proc/stat": "cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n"}


TREES: dict[str, Callable[[], Files]] = {
    one.__name__: one
    for one in (
        debian12_kvm, ubuntu2404_kvm, xen_hvm, openvz7, docker_in_kvm, lxc, wsl2, arm64_kvm, bare_metal, no_sys,
    )
}  # fmt: skip


def root_of(files: Mapping[str, str], links: Mapping[str, str] | None = None, **unreadable: int) -> Root:
    """The machine in memory."""
    source = MappingSource({path: text.encode() for path, text in files.items()}, links, unreadable)
    return Root(source, live=False)


def write(files: Mapping[str, str], top: Path) -> Path:
    """The machine as a folder."""
    for path, text in files.items():
        target = top / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return top
