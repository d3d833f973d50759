"""What a machine was when a run was measured, in words that two runs can be held against: no name, no address."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ipctune
from ipctune.host.model import Host, Limit
from ipctune.host.scrub import clean
from ipctune.host.text import cpu_ranges

__all__ = ["VERSION", "Here", "changed", "here", "machine_facts"]

VERSION = "ipctune"
"""The fact that says which ipctune measured."""


@dataclass(frozen=True, slots=True)
class Here:
    """What must be the same when a run goes on: blocks of two machines, boots or versions are never mixed."""

    boot: str
    core: str
    cpus: tuple[int, ...]
    machine: dict[str, str]


def here(host: Host, core: Path | None) -> Here:
    """This machine now, with the measuring core by its content."""
    return Here(host.boot_id or "", _digest(core), host.cpus.allowed, machine_facts(host))


def _digest(path: Path | None) -> str:
    try:
        return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def changed(before: Here, now: Here) -> list[str]:
    """What is no longer as it was when the run began, in words."""
    facts = [name for name in (before.machine | now.machine) if before.machine.get(name) != now.machine.get(name)]
    words = [f"{name}: {before.machine.get(name, 'unknown')} -> {now.machine.get(name, 'unknown')}" for name in facts]
    if before.boot != now.boot:
        words.append("it was booted again")
    if before.core != now.core:
        words.append("another measuring core")
    if before.cpus != now.cpus:
        words.append(f"other vCPUs: {cpu_ranges(before.cpus)} -> {cpu_ranges(now.cpus)}")
    return words


def machine_facts(host: Host) -> dict[str, str]:
    """Names and values of what may change a figure; not what is used at the moment. What is unknown is left out."""
    told = (*_system(host), *_idle(host), *_limits(host))
    return {name: clean(value, host.hostname) for name, value in told if value}


def _system(host: Host) -> Iterator[tuple[str, str]]:
    cpus, hypervisor = host.cpus, host.hypervisor
    yield VERSION, ipctune.__version__
    yield "system", host.os.name
    yield "kernel", host.kernel.release
    yield "kernel build", host.kernel.build
    yield "architecture", host.kernel.machine
    for one in host.kernel.boot:
        if one.known:
            yield f"boot: {one.name}", one.value or "set"
    yield "hypervisor", " ".join(filter(None, (hypervisor.name, hypervisor.product)))
    yield "container", host.container.name or "none"
    yield "vCPU model", cpus.model or ""
    yield "vCPUs", str(len(cpus.online) or "")
    yield "vCPUs allowed", str(len(cpus.allowed) or "")
    yield "SMT", _yes(cpus.smt)
    yield "frequency governor", cpus.frequency_governor or ""
    yield "clock source", host.clock.source or ""
    yield "memory, GiB", "" if host.memory.total is None else f"{host.memory.total / (1 << 30):.1f}"
    yield "huge pages", host.memory.thp or ""
    yield "huge pages, shared memory", host.memory.thp_shmem or ""
    yield "vm.swappiness", _number(host.memory.swappiness)
    yield "root", _yes(host.privileges.root)
    for quota in host.cgroup.limits:
        yield f"cgroup {quota.name}", quota.text


def _idle(host: Host) -> Iterator[tuple[str, str]]:
    idle = host.idle
    yield "idle driver", idle.driver or "none"
    yield "idle governor", idle.governor or "none"
    if idle.haltpoll is not None:
        yield "haltpoll guest_halt_poll_ns", _number(idle.haltpoll.guest_halt_poll_ns)
        yield "haltpoll guest_halt_poll_grow_start", _number(idle.haltpoll.guest_halt_poll_grow_start)
    yield "wake-up latency request, µs", _number(idle.latency_request_us)
    yield "resume latency limits", " ".join(sorted(set(idle.resume_latency.values())))
    off = [state.name for state in idle.states if state.disabled]
    yield "idle states off", " ".join(off)


def _limits(host: Host) -> Iterator[tuple[str, str]]:
    for name, limit in host.limits.items():
        if " " not in name:  # "RLIMIT_NOFILE of the fullest": another process's
            yield f"limit {name}", _limit(limit)


def _limit(limit: Limit) -> str:
    return "unlimited" if limit.unlimited else _number(limit.value)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"
