"""What it means how an idle vCPU waits, and who changed that."""

from collections.abc import Iterator

from ipctune.host.finding import Finding
from ipctune.host.model import Host, Idle, IdleState

__all__ = ["IdleWords", "boot_value_of", "idle_findings", "idle_words"]

IdleWords = tuple[str, str]
_UPSTREAM_POLL = 200_000
_POLLED_SHARE = 0.01
_POLLS_NOW = 0.5  # vCPUs; on an idle machine each vCPU that may not halt adds one
_NO_REQUEST = 2_000_000_000  # PM_QOS_CPU_LATENCY_DEFAULT_VALUE, include/linux/pm_qos.h
_ALWAYS_POLLS = ("idle=poll", "nohlt", "no-hlt")
_TRY = "`ipctune tune` measures what that costs here, tries what helps, and takes it back"


def boot_value_of(host: Host, name: str) -> str | None:
    """The value of a boot parameter ("" where it has none), or None where it is not on the command line."""
    found = [one for one in host.kernel.boot if one.name.replace("-", "_") == name.replace("-", "_")]
    return None if not found else found[-1].value or ""


def idle_words(host: Host) -> IdleWords:
    """How an idle vCPU waits, in a few words, and what that means for a message to it."""
    idle = host.idle
    if idle.driver and _kept_awake(idle):
        return f"{idle.driver} driver, but polls now: someone asks for it", "a message finds every vCPU awake"
    if idle.driver and idle.latency_request_us == 0 and idle.poll_state_index is not None:
        return (
            f"{idle.driver} driver, but polls always: a wake-up latency of 0 µs is asked for",
            "a message finds every vCPU awake; idle vCPUs burn their share of the host meanwhile",
        )
    if always := _always_polls(host):
        return f"polls always (boot command line: {always})", "a message finds every vCPU awake; each burns its share"
    if idle.driver is None:
        return _no_driver(host)
    name = f"{idle.driver} driver, {idle.governor or 'unknown'} governor"
    if idle.governor == "haltpoll" and idle.haltpoll:
        return _haltpoll(host, idle)
    deepest = _deepest(idle)
    if deepest is None:
        return name, "which states it enters can't be seen here"
    leaving = f", {deepest.latency_us} µs to leave by its own table" if deepest.latency_us else ""
    halted = "" if not host.hypervisor.virtual else "; a halted vCPU is handed back to the hypervisor"
    return f"{name}, deepest state {deepest.name}{leaving}", f"a message to an idle vCPU has to wake it{halted}"


def idle_findings(host: Host) -> Iterator[Finding]:
    """Halting that can be changed, requests and polling that cost, a driver that lies idle."""
    if not host.cpus.online:
        return
    always = _always_polls(host)
    yield from _never_polls(host) if not always else ()
    yield from _available(host)
    yield from _holders(host)
    yield from _polled(host)
    yield from _resume_latency(host)
    if always:
        yield Finding(
            "idle-always-polls",
            "know",
            "idle",
            f"{always} on the boot command line: idle vCPUs never rest",
            "they answer at once and burn their share of the host for ever, unseen by top",
            "remove it from the boot command line if the plan bills CPU or caps it",
            60,
        )


def _always_polls(host: Host) -> str:
    for name in _ALWAYS_POLLS:
        key, _, value = name.partition("=")
        if boot_value_of(host, key) == value:
            return name
    return ""


def _no_driver(host: Host) -> IdleWords:
    halt = "WFI" if host.kernel.machine == "aarch64" else "HLT"
    if not host.idle.governor and not host.idle.governors:
        return "unknown: nothing below /sys/devices/system/cpu/cpuidle", "`ipctune bench` measures what a wake-up costs"
    if host.hypervisor.virtual is False:
        return f"no cpuidle driver: plain {halt}", "a message to an idle CPU has to wake it"
    return (
        f"no cpuidle driver: plain {halt}, back to the hypervisor at once",
        "whether the host polls for it can't be seen from inside: `ipctune bench` measures it",
    )


def _haltpoll(host: Host, idle: Idle) -> IdleWords:
    value = idle.haltpoll.guest_halt_poll_ns if idle.haltpoll else None
    by = "boot line; " if boot_value_of(host, "haltpoll.guest_halt_poll_ns") == str(value) else ""
    note = "" if value == _UPSTREAM_POLL else f" ({by}upstream: {_UPSTREAM_POLL})"
    name = f"{idle.driver} driver" if idle.driver == "haltpoll" else f"{idle.driver} driver, haltpoll governor"
    text = f"{name}, guest_halt_poll_ns {'unknown' if value is None else value}{note}"
    if value is None:
        return text, "how long it polls before it halts could not be read"
    if value == 0:
        return text, "halts at once: a message to an idle vCPU waits for the hypervisor to wake it"
    return text, f"polls up to {value / 1000:g} µs after work, then halts; later messages wait for the hypervisor"


def _deepest(idle: Idle) -> IdleState | None:
    return max((s for s in idle.states if not s.disabled), key=lambda s: s.index, default=None)


def _never_polls(host: Host) -> Iterator[Finding]:
    idle = host.idle
    if idle.driver is None or idle.governor != "haltpoll" or idle.haltpoll is None:
        return
    awake = idle.latency_request_us == 0 or _kept_awake(idle)
    if idle.haltpoll.guest_halt_poll_ns == 0 and not awake and not _unread(idle):
        boot = boot_value_of(host, "haltpoll.guest_halt_poll_ns") == "0"
        who = "by the boot command line" if boot else "here"
        control = host.hypervisor.kvm.poll_control if host.hypervisor.kvm else None
        host_side = " (which offers to stop its own polling when this driver loads)" if control else ""
        yield Finding(
            "idle-halts",
            "fix",
            "idle vCPU",
            f"halts at once: guest_halt_poll_ns is set to 0 {who}",
            f"each message to an idle vCPU waits until the hypervisor{host_side} runs it again; "
            f"upstream's default polls {_UPSTREAM_POLL // 1000} µs first",
            _TRY,
            90,
        )


def _unread(idle: Idle) -> bool:
    """Whether someone asks for short wake-ups and we can't read how short."""
    return bool(idle.holders) and idle.latency_request_us is None


def _kept_awake(idle: Idle) -> bool:
    """Whether vCPUs poll now though nobody may be seen to ask for it: without root the request can't be read."""
    by_itself = idle.governor == "haltpoll" and idle.haltpoll is not None and idle.haltpoll.guest_halt_poll_ns != 0
    return idle.latency_request_us is None and not by_itself and (idle.polled_vcpus or 0.0) >= _POLLS_NOW


def _available(host: Host) -> Iterator[Finding]:
    """haltpoll that this kernel has and doesn't use. It loads under KVM alone."""
    idle = host.idle
    if host.hypervisor.name != "KVM" or host.container.name or idle.driver is not None:
        return
    if idle.haltpoll_module == "module":
        yield Finding(
            "idle-module",
            "know",
            "idle vCPU",
            "no idle driver; this kernel has cpuidle-haltpoll as a module",
            "an idle vCPU halts at once; the module lets it poll first, and may make the host stop polling for it",
            _TRY,
            70,
        )
    elif idle.haltpoll_module == "built-in":
        yield Finding(
            "idle-dormant",
            "know",
            "idle vCPU",
            "the haltpoll driver is built in but asleep",
            "an idle vCPU halts at once; the driver starts only with the host's hint or when forced",
            "if `ipctune bench` shows slow wake-ups: cpuidle_haltpoll.force=1 on the boot command line, then reboot",
            65,
        )


def _holders(host: Host) -> Iterator[Finding]:
    asked = host.idle.latency_request_us
    if asked is None or asked >= _NO_REQUEST:
        told = "what it asks for has no effect now" if asked is not None else "what it asks for could not be read"
    else:
        told = f"the strictest request is {asked} µs"
    if not host.idle.holders and _kept_awake(host.idle):
        yield Finding(
            "kept-awake",
            "know",
            "idle vCPU",
            f"{host.idle.polled_vcpus:.2f} vCPUs poll now instead of halting; who asks for that can't be seen",
            "a message finds them awake; they burn CPU that top does not show, and nothing more is to be gained",
            "run `ipctune inspect` as root: it names the holder of /dev/cpu_dma_latency",
            80,
        )
    if not host.idle.holders and asked is not None and asked < _NO_REQUEST:
        yield Finding(
            "latency-request",
            "know",
            "idle vCPU",
            f"a wake-up latency of {asked} µs is asked for, by whom can't be seen",
            "idle vCPUs may poll instead of halting to keep it, which burns CPU that top does not show",
            "look for a holder of /dev/cpu_dma_latency outside this container, or for a driver that asks",
            80,
        )
    for holder in host.idle.holders[:5]:
        yield Finding(
            f"latency-holder-{holder.pid}",
            "know",
            "idle vCPU",
            f"{holder.command} (pid {holder.pid}) holds /dev/cpu_dma_latency open",
            f"it can ask for short wake-ups on all vCPUs ({told}); at 0 µs they poll instead of halting, which "
            "burns CPU that top does not show, and nothing more is to be gained",
            "it ends when that process closes it; ask its owner before you stop it",
            80,
        )


def _polled(host: Host) -> Iterator[Finding]:
    share = _polled_share(host)
    if share is not None and share >= _POLLED_SHARE:
        yield Finding(
            "idle-polled",
            "know",
            "idle vCPU",
            f"vCPU 0 spent {share:.0%} of the time since boot polling",
            "the guest counts that as idle; the host counts it as use, and so may your plan",
            "`ipctune status` shows the present price",
            40,
        )


def _polled_share(host: Host) -> float | None:
    polls = [state.time_us for state in host.idle.states if state.index == host.idle.poll_state_index]
    if not polls or polls[0] is None or not host.uptime_s:
        return None
    return polls[0] / 1e6 / host.uptime_s


def _resume_latency(host: Host) -> Iterator[Finding]:
    asked = {cpu: told for cpu, told in host.idle.resume_latency.items() if told != "0"}
    if asked:
        shown = ", ".join(f"vCPU {cpu}: {told}" for cpu, told in sorted(asked.items())[:8])
        yield Finding(
            "resume-latency",
            "know",
            "idle vCPU",
            f"someone set a wake-up limit on single vCPUs ({shown})",
            "n/a means no latency at all: such a vCPU polls instead of halting, which burns it",
            "echo 0 > /sys/devices/system/cpu/cpuN/power/pm_qos_resume_latency_us takes the limit away",
            50,
        )
