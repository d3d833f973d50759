"""What machines in tests are made from: what every Linux shows, topology, clock, idle driver, facts."""

import json
from collections.abc import Mapping

__all__ = [
    "KVM",
    "Files",
    "base",
    "clock",
    "dmi",
    "facts",
    "flaws",
    "idle",
    "os_release",
    "process",
    "stat",
    "topology",
    "without",
]

Files = dict[str, str]

_SYS = "/proc/sys"
_CPU = "/sys/devices/system/cpu"
_CLOCK = "/sys/devices/system/clocksource/clocksource0"
_HUGE_LIMIT = "18446744073692774399"
KVM = {"steal_time": True, "poll_control": True, "pv_ipi": True, "realtime": False}

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
        "/proc/stat": stat(cpus, steal=8000),
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


def stat(cpus: int, steal: int) -> str:
    """/proc/stat: ticks of all vCPUs, then of each (proc_stat(5))."""
    each = "".join(f"cpu{cpu} 1 2 3 4 5 6 7 8 0 0\n" for cpu in range(cpus))
    return f"cpu  100000 0 50000 800000 1000 0 500 {steal} 0 0\n{each}"


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


def dmi(vendor: str, product: str) -> Files:
    """What the firmware calls the machine."""
    return {"/sys/class/dmi/id/sys_vendor": vendor + "\n", "/sys/class/dmi/id/product_name": product + "\n"}


def flaws(**told: str) -> Files:
    """What the kernel does about flaws of the processor, in its words."""
    return {f"/sys/devices/system/cpu/vulnerabilities/{name}": text + "\n" for name, text in told.items()}


def without(files: Files, *prefixes: str) -> Files:
    """The same machine where nothing below these paths is shown."""
    return {path: text for path, text in files.items() if not path.startswith(prefixes)}
