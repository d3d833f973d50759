"""The long part of `ipctune inspect --all`: evidence, boot parameters, idle states, privileges, every limit."""

import textwrap
from collections.abc import Iterable, Iterator

from ipctune.host.findings_limits import amount
from ipctune.host.findings_machine import missing_privileges
from ipctune.host.model import BootParameter, Host, Limit
from ipctune.host.text import cpu_ranges
from ipctune.report.style import Style

__all__ = ["details"]

_WIDTH = 80


def details(host: Host, style: Style) -> list[str]:
    """All that the short screen leaves out, each part under a heading."""
    parts: tuple[tuple[str, Iterable[str]], ...] = (
        ("how we know the platform", _evidence(host)),
        ("boot command line (upstream's default: what it changes)", _boot(host)),
        ("idle states of vCPU 0", _states(host)),
        ("idle governors and wake-up requests", _governors(host)),
        ("topology and caches", _topology(host)),
        ("clock and system call", _clock(host)),
        ("huge pages", _huge(host)),
        ("privileges that are missing, and what each costs", _privileges(host)),
        ("security", _security(host)),
        ("what every system call passes", _tax(host)),
        ("files that set these keys at boot", _settings(host)),
        ("every limit: value (used)  scope; a new value takes effect on", _limits(host)),
        ("could not be read", (f"{one.what}: {one.why}" for one in host.unseen)),
    )
    lines: list[str] = []
    for title, body in parts:
        rows = [row for text in body for row in _wrapped(text)]
        lines += [style.bold(title), *rows, ""] if rows else []
    return lines[:-1]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=" ", subsequent_indent="    ", break_on_hyphens=False)


def _evidence(host: Host) -> Iterator[str]:
    yield from host.hypervisor.evidence
    yield from host.container.evidence


def _boot(host: Host) -> Iterator[str]:
    yield from (_parameter(one) for one in host.kernel.boot if one.known)
    others = [_shown(one) for one in host.kernel.boot if not one.known]
    if others:
        yield f"others: {' '.join(others)}"


def _parameter(one: BootParameter) -> str:
    return f"{_shown(one)} (upstream: {one.upstream}): {one.meaning}"


def _shown(one: BootParameter) -> str:
    return one.name if one.value is None else f"{one.name}={one.value}"


def _states(host: Host) -> Iterator[str]:
    for state in host.idle.states:
        spent = "unknown" if state.time_us is None else f"{state.time_us / 1e6:.1f} s"
        off = ", disabled" if state.disabled else ""
        leave = "" if state.latency_us is None else f", {state.latency_us} µs to leave by its own table"
        yield f"{state.index} {state.name}: {spent} since boot{leave}{off}"


def _governors(host: Host) -> Iterator[str]:
    idle = host.idle
    if idle.governors:
        yield f"governors: {', '.join(idle.governors)} (now {idle.governor or 'unknown'})"
    if idle.haltpoll:
        names = ("guest_halt_poll_ns", "guest_halt_poll_grow", "guest_halt_poll_grow_start", "guest_halt_poll_shrink")
        told = ((name, getattr(idle.haltpoll, name)) for name in (*names, "guest_halt_poll_allow_shrink"))
        yield "haltpoll: " + ", ".join(f"{name} {'unknown' if value is None else value}" for name, value in told)
    words = {"loaded": "loaded as a module", "built-in": "built in", "module": "there as a module, not loaded"}
    yield f"cpuidle-haltpoll driver: {words.get(idle.haltpoll_module, idle.haltpoll_module)}"
    asked = set(idle.resume_latency.values())
    if asked:
        yield f"pm_qos_resume_latency_us: {', '.join(sorted(asked))} (0 is no request)"
    if not idle.holders:
        yield f"/dev/cpu_dma_latency: {'' if idle.cpu_dma_latency else 'not there, '}held by nobody" + (
            "" if idle.holders_complete else " that could be seen"
        )


def _tax(host: Host) -> Iterator[str]:
    audit, told = host.tax.audit, host.tax.programs_complete
    programs = [f"{one.type} {one.name or '(no name)'} {one.at} {one.holder}" for one in host.tax.programs]
    yield f"eBPF programs that may be there: {'; '.join(programs) or ('none' if told else 'unknown: takes root')}"
    state = "unknown: takes root" if audit is None else "on" if audit.enabled else "off"
    rules = "" if audit is None or audit.rules is None else f", {audit.rules} rules"
    yield f"audit: {state}{rules}"
    yield f"under seccomp filters: {', '.join(host.tax.filtered) or 'no process that could be seen'}"
    yield from (f"{name}: {text}" for name, text in host.tax.flaws.items() if text != "Not affected")


def _topology(host: Host) -> Iterator[str]:
    if host.cpus.model:
        yield f"processor: {host.cpus.model}"
    for package, core, cpus in host.cpus.cores[:64]:
        yield f"socket {package}, core {core}: vCPU {cpu_ranges(cpus)}"
    for cache in host.cpus.caches:
        shared = f", shared by vCPU {cpu_ranges(cache.shared)}" if len(cache.shared) > 1 else ""
        yield f"L{cache.level} {cache.type.lower()}: {amount(cache.bytes, 'bytes')}{shared}"


def _clock(host: Host) -> Iterator[str]:
    clock = host.clock
    if clock.source:
        yield f"source {clock.source}, offered: {', '.join(clock.available)}"
    for name, value in (("a look at the clock", clock.monotonic_ns), ("the cheapest system call", clock.syscall_ns)):
        if value is not None:
            yield f"{name}: {value:.0f} ns"
    jitter = host.steal.jitter
    if jitter:
        yield (
            f"own jitter: {jitter.gaps} gaps, {jitter.lost_percent:.2f} % of {jitter.seconds:.2f} s, "
            f"longest {jitter.longest_us:.0f} µs"
        )


def _huge(host: Host) -> Iterator[str]:
    memory = host.memory
    for page in memory.huge:
        yield f"{amount(page.bytes, 'bytes')}: {page.total} reserved, {page.free} free"
    if memory.thp:
        yield f"transparent: {memory.thp}; for shared memory: {memory.thp_shmem or 'unknown'}"
    if memory.swappiness is not None:
        yield f"vm.swappiness: {memory.swappiness}{' (no swap: without effect)' if memory.swap_total == 0 else ''}"


def _privileges(host: Host) -> Iterator[str]:
    return (f"{cap}: {cost}" for cap, cost in missing_privileges(host.privileges).items())


def _security(host: Host) -> Iterator[str]:
    held = host.privileges
    yield f"security modules: {', '.join(held.lsm) or 'none seen'}"
    yield f"lockdown: {held.lockdown or 'unknown (securityfs could not be read)'}"
    told = {True: "yes", False: "no", None: "unknown"}
    yield f"users may make namespaces of their own: {told[held.user_namespaces]}"
    if held.unprivileged_bpf is not None:
        yield f"BPF without privileges: {'yes' if held.unprivileged_bpf == 0 else 'no'}"
    yield f"sysctls can be written: {told[held.sysctl_writable]}"


def _settings(host: Host) -> Iterator[str]:
    for one in host.settings:
        yield f"{one.file}:{one.line} {one.key} = {one.value}{' (tuned)' if one.owner == 'tuned' else ''}"


def _limits(host: Host) -> Iterator[str]:
    return (_limit(limit) for limit in host.limits.values())


def _limit(limit: Limit) -> str:
    value = "unlimited" if limit.unlimited else amount(limit.value, limit.unit)
    unit = "" if limit.unit == "bytes" or limit.unlimited or limit.value is None else f" {limit.unit}"
    hard = "" if limit.hard is None or limit.hard == limit.value else f", hard {amount(limit.hard, limit.unit)}"
    about = "about " if limit.estimated else ""
    use = "" if limit.use is None else f" ({about}{amount(limit.use, limit.unit)} used)"
    left = "" if limit.headroom is None else f", {amount(limit.headroom, limit.unit)} left"
    who = f", {limit.who}" if limit.who else ""
    return f"{limit.name}: {value}{unit}{hard}{use}{left}{who}  {limit.scope}; {limit.effect}"
