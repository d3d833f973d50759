"""What `ipctune inspect` shows: the machine in a few lines, what to fix, what to know, the fullest limits."""

import textwrap
from collections.abc import Iterator

from ipctune.host.finding import Finding, Inspection
from ipctune.host.findings_idle import idle_words
from ipctune.host.findings_limits import amount
from ipctune.host.findings_machine import missing_privileges
from ipctune.host.model import Host, Limit
from ipctune.host.text import cpu_ranges
from ipctune.report.fit import fit
from ipctune.report.inspect_all import details
from ipctune.report.style import PLAIN, Style

__all__ = ["render"]

WIDTH = 80
_LABEL = 11
_FULLEST = 4
_WORTH_A_LINE = 0.01
_ADVICE = 3


def render(result: Inspection, style: Style = PLAIN, *, everything: bool = False, seconds: float | None = None) -> str:
    """The whole screen, at most 80 columns wide; `everything` adds all limits, parameters and evidence."""
    host = result.host
    lines = [*_header(result, style, seconds), ""]
    lines += [line for label, text in _machine(host) for line in _row(label, text)]
    lines += [""]
    lines += _section("FIX", result.to_fix, 1, style.red, style)
    lines += _section("KNOW", result.to_know, len(result.to_fix) + 1, style.yellow, style)
    lines += ["nothing found that needs a word", ""] if not result.findings else []
    lines += _fullest(host, style)
    lines += _not_to_do(result, everything)
    lines += _unseen(host)
    lines += ["", *details(host, style)] if everything else []
    lines += _row("more", "ipctune inspect --all | --json | --markdown; ipctune services") if not everything else []
    return "\n".join(lines).replace("\t", " ")


def _header(result: Inspection, style: Style, seconds: float | None) -> Iterator[str]:
    host = result.host
    name = host.hostname or "this machine"
    if host.recorded:
        how = "a recorded machine; nothing of this one was read"
    else:
        took = "" if seconds is None else f", {seconds:.1f} s"
        how = f"read only{took}, as {'root' if host.privileges.root else f'uid {host.privileges.euid}'}"
    counts = f"{len(result.to_fix)} to fix, {len(result.to_know)} to know, {result.fine} limits fine"
    left = f"{name}   {how}"
    gap = WIDTH - len(left) - len(counts)
    if gap < 2:
        yield style.bold(name) + f"   {how}"
        yield counts.rjust(WIDTH)
        return
    yield style.bold(name) + left[len(name) :] + " " * gap + counts


def _row(label: str, text: str) -> list[str]:
    """Lines of `label  text`, the text wrapped beside it."""
    head = label.ljust(_LABEL) if len(label) < _LABEL else label + " "
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * _LABEL, break_on_hyphens=False, drop_whitespace=True
    )


def _machine(host: Host) -> Iterator[tuple[str, str]]:
    """Labels and texts of the first lines."""
    yield "machine", f"{_platform(host)}; {_os(host)}; {_cgroup(host)}"
    if host.hypervisor.kvm:
        yield "", f"KVM offers: {_features(host)}"
    elif not host.core and host.hypervisor.virtual is not False:
        yield "", "the hypervisor's features (CPUID): unknown: needs the core"
    yield "vCPU", _cpus(host)
    text, meaning = idle_words(host)
    yield "idle", text
    yield "", f"-> {meaning}"
    yield "steal", _steal(host)
    yield "memory", _memory(host)
    if host.pressure:
        shares = ", ".join(f"{p.resource} {p.some_avg300:.1f} %" for p in host.pressure)
        yield "pressure", f"tasks waited for {shares} of the last 5 minutes"
    yield "user", _user(host)
    if host.cgroup.limits:
        yield "own limits", ", ".join(f"{q.name} {_quota(q.text, q.unit)}" for q in host.cgroup.limits)


def _platform(host: Host) -> str:
    name = host.hypervisor.name
    below = {None: "hypervisor unknown", "none": "no hypervisor", "unnamed": "a hypervisor without a name"}
    guest = below.get(name, f"{name} guest")
    product = f" ({host.hypervisor.product})" if host.hypervisor.product else ""
    shut_in = f"in a container ({host.container.name})" if host.container.name else "no container"
    return f"{guest}{product}, {shut_in}"


def _os(host: Host) -> str:
    return f"{host.os.name.replace(' GNU/Linux', '')}, kernel {host.kernel.release}"


def _cgroup(host: Host) -> str:
    versions = host.cgroup.versions
    if not versions:
        return "no cgroups seen"
    text = " and ".join(f"v{version}" for version in versions)
    limits_nothing = versions == (1, 2) and not {"cpu", "memory"} & set(host.cgroup.v2_controllers)
    return f"cgroup {text}{' (v2 without cpu and memory)' if limits_nothing else ''}"


def _features(host: Host) -> str:
    kvm = host.hypervisor.kvm
    if kvm is None:
        return "unknown"
    told = (
        ("steal time", kvm.steal_time),
        ("poll control", kvm.poll_control),
        ("fast IPIs (PV_IPI)", kvm.pv_ipi),
        ("the realtime hint", kvm.realtime),
    )
    has = [name for name, value in told if value]
    lacks = [name for name, value in told if value is False]
    return ", ".join(has or ["none of those that matter here"]) + (f"; not {', not '.join(lacks)}" if lacks else "")


def _cpus(host: Host) -> str:
    cpus = host.cpus
    parts = [str(len(cpus.online)) if cpus.online else "unknown"]
    if cpus.allowed != cpus.online:
        parts[0] += f" (this shell may use {cpu_ranges(cpus.allowed)})"
    if cpus.sockets:
        parts.append("one socket" if cpus.sockets == 1 else f"{cpus.sockets} sockets")
    if cpus.smt is not None:
        parts.append("SMT siblings" if cpus.smt else "no SMT shown")
    largest = max(cpus.caches, key=lambda cache: cache.level, default=None)
    if largest:
        parts.append(f"L{largest.level} {amount(largest.bytes, 'bytes')}")
    cost = "" if host.clock.monotonic_ns is None else f" ({host.clock.monotonic_ns:.0f} ns a look)"
    return ", ".join([*parts, f"clock {host.clock.source or 'unknown'}{cost}"])


def _steal(host: Host) -> str:
    steal = host.steal
    if host.hypervisor.virtual is False:
        return "none: no hypervisor"
    if steal.reported is False:
        return f"unknown: this hypervisor reports none{_jitter(host)}"
    if steal.reported is None and not steal.boot_percent:
        why = "can't be told here" if host.core else "is unknown: needs the core"
        return f"reads 0; whether the hypervisor reports any {why}{_jitter(host)}"
    shown = [] if steal.now_percent is None else [f"{steal.now_percent:.1f} % now"]
    shown += [] if steal.boot_percent is None else [f"{steal.boot_percent:.1f} % since boot"]
    worst = max(steal.hours, key=lambda one: one.percent, default=None)
    if worst:
        shown.append(f"worst hour {worst.percent:.0f} % ({worst.hour}:00)")
    else:
        shown.append(
            "by hour: kept, but sysstat's sadf gave nothing" if steal.kept else "by hour: not kept (no sysstat)"
        )
    return ", ".join(shown)


def _jitter(host: Host) -> str:
    jitter = host.steal.jitter
    return f"; own jitter {jitter.lost_percent:.1f} % of {jitter.seconds:.2f} s" if jitter else ""


def _memory(host: Host) -> str:
    memory = host.memory
    if memory.total is None:
        return "unknown"
    parts = [amount(memory.total, "bytes"), f"{amount(memory.available, 'bytes')} available"]
    parts.append(f"{amount(memory.shared, 'bytes')} of it shared or tmpfs")
    if memory.swap_total:
        used = memory.swap_total - (memory.swap_free or 0)
        parts.append(f"swap {amount(memory.swap_total, 'bytes')}, {amount(used, 'bytes')} used")
    else:
        parts.append("no swap" if memory.swap_total == 0 else "swap unknown")
    reserved = sum(page.bytes * page.total for page in memory.huge)
    parts.append(f"huge pages: {amount(reserved, 'bytes')} reserved" if reserved else "huge pages: none reserved")
    return ", ".join(parts)


def _user(host: Host) -> str:
    missing = missing_privileges(host.privileges)
    if host.privileges.euid is None:
        return "unknown"
    who = "root" if host.privileges.root else f"uid {host.privileges.euid}"
    if not missing:
        return f"{who}, nothing missing"
    shown = ", ".join(missing) if len(missing) <= 3 else f"{len(missing)} capabilities"
    return f"{who}, without {shown}"


def _quota(text: str, unit: str) -> str:
    return amount(int(text), "bytes") if unit == "bytes" and text.isdigit() else text


def _section(title: str, found: tuple[Finding, ...], first: int, paint: object, style: Style) -> list[str]:
    if not found:
        return []
    lines = [paint(title) if callable(paint) else title]
    for number, finding in enumerate(found, start=first):
        lines += _finding(number, finding, style)
    return [*lines, ""]


def _finding(number: int, finding: Finding, style: Style) -> list[str]:
    head = f"{number:2d} "
    what = textwrap.wrap(
        f"{finding.topic}: {finding.what}", WIDTH, initial_indent=head, subsequent_indent="   ", break_on_hyphens=False
    )
    why = textwrap.wrap(finding.why, WIDTH, initial_indent="   ", subsequent_indent="   ", break_on_hyphens=False)
    todo = textwrap.wrap(
        f"-> {finding.todo}", WIDTH, initial_indent="   ", subsequent_indent="      ", break_on_hyphens=False
    )
    return [*(style.bold(line) for line in what), *why, *todo]


def _fullest(host: Host, style: Style) -> list[str]:
    used = [limit for limit in host.limits.values() if (limit.full or 0) >= _WORTH_A_LINE]
    shown = sorted(used, key=lambda one: -(one.full or 0))[:_FULLEST]
    if not shown:
        return [f"limits     none whose use can be seen is more than {_WORTH_A_LINE * 100:.0f} % full", ""]
    heading = f"{'fullest limits':<30} {'use':>12} {'limit':>12}  takes effect on"
    return [style.dim(heading), *(_limit_row(limit) for limit in shown), ""]


def _limit_row(limit: Limit) -> str:
    use = ("~" if limit.estimated else "") + amount(limit.use, limit.unit)
    row = f" {limit.name:<29} {use:>12} {amount(limit.value, limit.unit):>12}  {limit.effect}"
    who = f"{'':<4}{limit.who}" if limit.who else ""
    return fit(row.rstrip(), WIDTH) + (f"\n{fit(who, WIDTH)}" if who else "")


def _not_to_do(result: Inspection, everything: bool) -> list[str]:
    shown = result.not_to_do if everything else result.not_to_do[:_ADVICE]
    lines: list[str] = []
    for at, advice in enumerate(shown):
        head = "not to do here: " if at == 0 else " " * 16
        lines += textwrap.wrap(
            f"{advice.said} ({advice.here})",
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * 18,
            break_on_hyphens=False,
        )
    left = len(result.not_to_do) - len(shown)
    return [*lines, *([f"{'':16}{left} more: --all"] if left else [])]


def _unseen(host: Host) -> list[str]:
    if not host.unseen:
        return ["could not see: nothing missing"]
    texts = [f"{one.what} ({one.why})" for one in host.unseen]
    shown = texts[:3] + ([f"{len(texts) - 3} more"] if len(texts) > 3 else [])
    return textwrap.wrap(
        "; ".join(shown), WIDTH, initial_indent="could not see: ", subsequent_indent=" " * 15, break_on_hyphens=False
    )
