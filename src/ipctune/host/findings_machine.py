"""Findings about platform, clock, steal, memory, quotas, privileges and the boot command line."""

from collections.abc import Iterator

from ipctune.host.finding import Finding
from ipctune.host.model import Host, Privileges

__all__ = ["COSTS", "machine_findings", "missing_privileges"]

_STEAL_HIGH = 5.0
_HOUR_HIGH = 10.0
_JITTER_HIGH = 5.0
_FAST_CLOCKS = (
    "tsc",
    "kvm-clock",
    "hyperv_clocksource_tsc_page",
    "arch_sys_counter",
    "timebase",
    "tod",
    "riscv_clocksource",
)
_SLOW_LOOK_NS = 100.0  # a look through the vDSO takes some 25 ns, one by a system call or a device several hundred
_PRESSURE_HIGH = 20.0
_IDLE_PARAMETERS = ("cpuidle", "haltpoll", "idle", "nohlt", "no-hlt", "hlt")

# What the user loses without each capability (capabilities(7)).
COSTS: dict[str, str] = {
    "CAP_SYS_ADMIN": "no private IPC namespace: limits can't be tried apart from the machine",
    "CAP_SYS_NICE": "no real-time policy, and no placement of other users' processes",
    "CAP_SYS_RESOURCE": "no pipe, queue or resource limit above its maximum",
    "CAP_IPC_LOCK": "no memory locked above RLIMIT_MEMLOCK",
    "CAP_SYS_MODULE": "no kernel module (haltpoll) can be loaded",
    "CAP_BPF": "no tracing of wake-ups",
    "CAP_PERFMON": "no tracing of wake-ups",
    "CAP_NET_ADMIN": "no socket buffer above net.core.rmem_max and wmem_max",
    "CAP_SYS_PTRACE": "open files of other users' processes stay unseen",
}


def machine_findings(host: Host) -> Iterator[Finding]:
    """Everything about the machine that is neither its idle loop nor a limit."""
    yield from _clock(host)
    yield from _steal(host)
    yield from _memory(host)
    yield from _pressure(host)
    yield from _quota(host)
    yield from _privileges(host)
    yield from _boot(host)
    yield from _isolated(host)


def missing_privileges(privileges: Privileges) -> dict[str, str]:
    """The capabilities that are missing, and what each costs the user. CAP_SYS_ADMIN covers the tracing ones."""
    admin = privileges.has("CAP_SYS_ADMIN")
    covered = ("CAP_BPF", "CAP_PERFMON") if admin else ()
    return {cap: cost for cap, cost in COSTS.items() if not privileges.has(cap) and cap not in covered}


def _clock(host: Host) -> Iterator[Finding]:
    source, ns = host.clock.source, host.clock.monotonic_ns
    if source in (None, "tsc") or host.kernel.machine == "aarch64":
        return
    cost = "what it costs is unknown: needs the core" if ns is None else f"measured: {ns:.0f} ns a call"
    if source in _FAST_CLOCKS or (ns is not None and ns < _SLOW_LOOK_NS):
        yield Finding(
            "clock",
            "know",
            "clock",
            f"the clock source is {source}, not tsc ({cost})",
            "programs that ask for the time at every message pay that much each time",
            "nothing, unless that figure is large beside your messages",
            10,
        )
        return
    other = next((name for name in ("tsc", "kvm-clock") if name in host.clock.available), None)
    todo = (
        f"echo {other} > /sys/devices/system/clocksource/clocksource0/current_clocksource, and look whether time "
        "stays right; it is lost at the next boot"
        if other
        else "ask the provider: this machine offers no faster clock"
    )
    yield Finding(
        "clock",
        "fix" if other else "know",
        "clock",
        f"the clock source is {source} ({cost})",
        "this source is read by a system call or from a device, at every look at the time",
        todo,
        60,
    )


def _steal(host: Host) -> Iterator[Finding]:
    steal = host.steal
    worst = max((value for value in (steal.now_percent, steal.boot_percent) if value is not None), default=0.0)
    if worst >= _STEAL_HIGH:
        yield Finding(
            "steal",
            "fix",
            "steal",
            f"{worst:.1f} % of CPU time is taken by the host's other guests",
            "a vCPU that is not run answers no message; no setting in here changes that",
            "ask the provider for another host, or take a plan with dedicated vCPUs",
            85,
        )
    hour = max(steal.hours, key=lambda one: one.percent, default=None)
    if hour and hour.percent >= _HOUR_HIGH > worst:
        yield Finding(
            "steal-hour",
            "know",
            "steal",
            f"steal was {hour.percent:.0f} % in the hour from {hour.hour}:00",
            "measurements in such an hour say little, and services are slow then",
            "measure at another hour",
            45,
        )
    yield from _steal_unknown(host)


def _steal_unknown(host: Host) -> Iterator[Finding]:
    if host.steal.reported is not False or not host.hypervisor.virtual:
        return
    jitter = host.steal.jitter
    seen = (
        ""
        if jitter is None
        else (
            f"; own jitter: {jitter.lost_percent:.1f} % of {jitter.seconds:g} s lost in {jitter.gaps} gaps, "
            f"longest {jitter.longest_us:.0f} µs"
        )
    )
    high = jitter is not None and jitter.lost_percent >= _JITTER_HIGH
    yield Finding(
        "steal-unknown",
        "know",
        "steal",
        f"unknown: this hypervisor reports none{seen}",
        "top and vmstat show 0 here whatever the neighbours do",
        "ask the provider about neighbours" if high else "nothing; `ipctune bench` marks blocks that were disturbed",
        50 if high else 20,
    )


def _memory(host: Host) -> Iterator[Finding]:
    memory = host.memory
    if memory.total and memory.available is not None and memory.available < memory.total * 0.05:
        yield Finding(
            "memory",
            "fix",
            "memory",
            f"{memory.available / memory.total:.0%} of memory is available",
            "shared memory that is touched next may wait for reclaim, or end in the OOM killer",
            "find the largest user (ps aux --sort -rss), or take a larger plan",
            75,
        )
    stalls = next((one for one in host.pressure if one.resource == "memory"), None)
    if stalls and max(stalls.full_avg10 or 0.0, stalls.full_avg300 or 0.0) >= 1.0:
        yield Finding(
            "memory-pressure",
            "fix",
            "memory",
            f"all tasks stood still for memory {stalls.full_avg300 or 0.0:.1f} % of the last 5 minutes",
            "messages wait behind swapping and reclaim",
            "more memory, or less use of it",
            78,
        )


def _pressure(host: Host) -> Iterator[Finding]:
    cpu = next((one for one in host.pressure if one.resource == "cpu"), None)
    if cpu and cpu.some_avg300 >= _PRESSURE_HIGH:
        yield Finding(
            "cpu-pressure",
            "know",
            "vCPU",
            f"tasks waited for a vCPU {cpu.some_avg300:.0f} % of the last 5 minutes",
            "messages wait in the run queue, not for a wake-up: fewer busy processes help, idle settings hardly",
            "look at what runs (top), or take a larger plan",
            55,
        )


def _quota(host: Host) -> Iterator[Finding]:
    for limit in host.cgroup.limits:
        if limit.name == "cpu":
            yield Finding(
                "quota",
                "know",
                "cgroup",
                f"this shell's control group may use {limit.text} (set at {limit.path})",
                "when the quota is used up everything in it stands still until the next period",
                "measure outside it, or raise it where it is set",
                35,
            )


def _privileges(host: Host) -> Iterator[Finding]:
    missing = missing_privileges(host.privileges)
    if host.privileges.euid is None:
        return
    if not host.privileges.root:
        yield Finding(
            "not-root",
            "know",
            "privileges",
            "not root: this can look and measure, but set nothing host-wide",
            f"missing: {len(missing)} capabilities (--all says what each costs)",
            "sudo ipctune inspect",
            30,
        )
    elif missing:
        names = ", ".join(missing)
        costs = "; ".join(dict.fromkeys(missing.values()))
        yield Finding(
            "capabilities",
            "know",
            "privileges",
            f"root, but without {names}",
            costs,
            "run it where root has all, if that matters",
            25,
        )


def _boot(host: Host) -> Iterator[Finding]:
    """What else the boot command line changes; its idle part is told where the idle loop is."""
    known = [one for one in host.kernel.boot if one.known and one.upstream != one.value]
    idle = [one for one in known if one.name.split(".")[0].replace("cpuidle_haltpoll", "cpuidle") in _IDLE_PARAMETERS]
    rest = [one for one in known if one not in idle]
    if known:
        shown = [f"{one.name}{'' if one.value is None else '=' + one.value}" for one in [*idle, *rest]]
        yield Finding(
            "boot",
            "know",
            "boot",
            f"set by the boot command line: {', '.join(shown)}",
            "whoever boots this machine chose these; `--all` says what each does, and upstream's default",
            "nothing, unless one of them is not meant",
            15,
        )


def _isolated(host: Host) -> Iterator[Finding]:
    if host.cpus.isolated:
        cpus = ", ".join(map(str, host.cpus.isolated))
        yield Finding(
            "isolated",
            "know",
            "vCPU",
            f"vCPUs {cpus} are isolated: nothing runs there unless it is pinned",
            "the other vCPUs carry everything else",
            "remove isolcpus= if that is not meant",
            30,
        )
