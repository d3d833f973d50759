"""A page to paste into a ticket for the hosting company: what was measured and when, and what to ask for.

It names no host, no address and none of the owner's programs: only what the company itself provides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ipctune.host.findings_idle import idle_words
from ipctune.host.findings_limits import amount
from ipctune.host.model import Host
from ipctune.host.scrub import clean

__all__ = ["Waking", "asked", "machine", "render"]

_MUCH_STEAL = 2.0
_SLOW = 3.0
_HALTPOLL = ("cpuidle_haltpoll.force", "haltpoll.guest_halt_poll_ns")


@dataclass(frozen=True, slots=True)
class Waking:
    """A 64-byte pipe round trip in ns: between two vCPUs that idle 1 ms before each, and on one vCPU (awake)."""

    idle_ns: float
    awake_ns: float
    seconds: float


def render(host: Host, when: str, waking: Waking | None, why_not: str = "") -> str:
    """The page in Markdown; `when` is local time with its zone, `why_not` says why nothing could be measured."""
    parts = (
        ("# Idle vCPUs and steal on this virtual machine", ()),
        ("", machine(host, when)),
        ("## Measured", _measured(host, waking, why_not)),
        ("## What we ask for", asked(host, waking)),
        ("## How it was measured", _how(waking)),
    )
    lines: list[str] = []
    for title, told in parts:
        body = list(told)
        lines += [title, ""] if title else []
        lines += [*body, ""] if body else []
    return clean("\n".join(lines).rstrip(), host.hostname)


def machine(host: Host, when: str) -> Iterator[str]:
    """What it was measured on, and when, as a list: only what the company itself provides."""
    name = host.hypervisor.name
    product = f" ({host.hypervisor.product})" if host.hypervisor.product else ""
    shut_in = f", in a container ({host.container.name})" if host.container.name else ""
    yield f"- When: {when}" + ("" if host.uptime_s is None else f", up for {host.uptime_s / 3600:.1f} h")
    yield (
        f"- Machine: {name or 'hypervisor unknown'}{product}{shut_in}, {len(host.cpus.online) or 'unknown'} vCPU, "
        f"{amount(host.memory.total, 'bytes')}"
    )
    yield f"- System: {host.os.name}, kernel {host.kernel.release}"
    if host.cpus.model:
        yield f"- Processor as shown: {host.cpus.model}"


def _measured(host: Host, waking: Waking | None, why_not: str) -> Iterator[str]:
    yield from ("| what | value |", "| --- | --- |")
    steal = host.steal
    if steal.reported is False:
        yield "| steal | this hypervisor reports none |"
    else:
        yield f"| steal now | {_percent(steal.now_percent)} |"
        yield f"| steal since boot | {_percent(steal.boot_percent)} |"
    for hour in sorted(steal.hours, key=lambda one: -one.percent)[:3]:
        yield f"| steal in the hour of {hour.hour}:00 | {_percent(hour.percent)} |"
    if steal.jitter:
        jitter = steal.jitter
        yield (
            f"| a busy vCPU was away for | {jitter.lost_percent:.2f} % of {jitter.seconds:.2f} s, at most "
            f"{jitter.longest_us:.0f} µs at once |"
        )
    if waking:
        yield f"| round trip between two idle vCPUs | {waking.idle_ns / 1000:.1f} µs |"
        yield f"| the same on one vCPU that is awake | {waking.awake_ns / 1000:.1f} µs |"
        yield f"| so one wake-up of a halted vCPU costs | {_wake_us(waking):.1f} µs |"
    else:
        yield f"| what waking a halted vCPU costs | not measured: {why_not or 'unknown'} |"
    yield f"| how an idle vCPU waits | {idle_words(host)[0]} |"


def asked(host: Host, waking: Waking | None) -> Iterator[str]:
    """What to ask the hosting company for, as a list; that there is nothing to ask for is said as well."""
    steal = max((part for part in (host.steal.now_percent, host.steal.boot_percent) if part is not None), default=0.0)
    worst = max((hour.percent for hour in host.steal.hours), default=0.0)
    any_asked = False
    if max(steal, worst) >= _MUCH_STEAL:
        any_asked = True
        yield (
            f"- Steal of up to {max(steal, worst):.1f} % means that vCPUs waited for a processor of the host: "
            "please move this machine to a host with less load, or say which plan has vCPUs of its own."
        )
    if waking and waking.idle_ns >= _SLOW * waking.awake_ns and host.hypervisor.virtual is not False:
        any_asked = True
        yield from _about_waking(host)
    if any(limit.name.startswith("beancounter") and limit.who for limit in host.limits.values()):
        any_asked = True
        yield "- Limits of the container were refused (failcnt in user_beancounters): please raise them."
    if not any_asked:
        yield "- Nothing: steal is low and idle vCPUs wake fast. This page shows no fault of the hosting."


def _about_waking(host: Host) -> Iterator[str]:
    if host.hypervisor.name != "KVM":
        yield "- What does a vCPU's halt cost on your hypervisor, and is there a plan where an idle vCPU wakes faster?"
        return
    yield (
        "- Is `halt_poll_ns` of the host's kvm module 0, or lowered? Upstream's default is 200000 ns: the host polls "
        "that long before it lets a vCPU's thread sleep, and a wake-up within that time costs a few µs."
    )
    forced = [one for one in host.kernel.boot if one.name in _HALTPOLL]
    if forced:
        words = " ".join(f"`{one.name}={one.value}`" for one in forced)
        yield (
            f"- The boot line that you provide has {words}: the guest then takes over polling from the host. May we "
            "set `haltpoll.guest_halt_poll_ns=200000` there?"
        )
    else:
        yield "- Does the plan count it as use, and throttle, when the guest polls for up to 200 µs before it halts?"


def _how(waking: Waking | None) -> Iterator[str]:
    yield "Steal is the kernel's own account (/proc/stat), now over 0.3 s."
    if waking:
        yield (
            f"Round trips: 64 bytes through a pipe, medians, {waking.seconds:g} s each; idle means 1 ms without work "
            "before each. Half of the difference is one wake-up. No setting was changed."
        )


def _wake_us(waking: Waking) -> float:
    return max(waking.idle_ns - waking.awake_ns, 0.0) / 2000


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} %"
