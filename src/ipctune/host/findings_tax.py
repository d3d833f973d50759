"""The tax on every system call: what stands in its way here, and what one takes, measured. Reported, never changed."""

from collections.abc import Iterator

from ipctune.host.finding import Finding
from ipctune.host.model import BpfProgram, Host

__all__ = ["AT_ENTRY", "at_system_calls", "tax_findings"]

AT_ENTRY = (
    "meltdown", "spectre_v1", "spectre_v2", "retbleed", "mds", "tsx_async_abort", "mmio_stale_data",
    "reg_file_data_sampling", "spec_rstack_overflow", "indirect_target_selection", "tsa",
)  # fmt: skip
"""Flaws whose mitigation is paid for on the way into the kernel or out of it (Documentation/admin-guide/hw-vuln)."""

_TRACEPOINTS = ("sys_enter", "sys_exit")
_MOST_NAMED = 4
_KEEP = "mitigations protect this machine: leave them"
_FEWER = "fewer calls cost less: several messages a write"


def at_system_calls(program: BpfProgram) -> bool:
    """Whether the program runs at system calls, by its tracepoint or, where that is unknown, by its name."""
    if program.at:
        return program.at in _TRACEPOINTS
    return any(mark in program.name for mark in (*_TRACEPOINTS, "syscall"))


def tax_findings(host: Host) -> Iterator[Finding]:
    """One finding: the ns of a null system call, and what is in its way."""
    programs = [one for one in host.tax.programs if at_system_calls(one)]
    audited = host.tax.audit is not None and host.tax.audit.enabled
    ways = [*_programs(programs), *_audit(host), *_filters(host), *_mitigations(host)]
    if not ways:
        return
    agents = bool(programs) or audited
    yield Finding(
        "syscall-tax",
        "know",
        "system call",
        f"{_measured(host)}; in its way: {'; '.join(ways)}",
        "a message takes two system calls at least, and each of them pays this; a program under a filter pays more",
        "; ".join([*_todo(programs, audited), _KEEP, _FEWER]),
        48 if agents else 12,
    )


def _measured(host: Host) -> str:
    ns = host.clock.syscall_ns
    return "what a null one takes is unknown: needs the core" if ns is None else f"a null one takes {ns:.0f} ns"


def _programs(programs: list[BpfProgram]) -> Iterator[str]:
    if programs:
        names = dict.fromkeys(one.holder or one.name or "unnamed" for one in programs)
        runs = [one.run_ns for one in programs if one.run_ns is not None]
        cost = f", {sum(runs):.0f} ns by the kernel's own count" if runs else ""
        yield f"{_many(len(programs), 'eBPF program')} ({_some(list(names))}{cost})"


def _audit(host: Host) -> Iterator[str]:
    audit = host.tax.audit
    if audit is not None and audit.enabled:
        yield "audit" if audit.rules is None else f"audit with {_many(audit.rules, 'rule')}"


def _filters(host: Host) -> Iterator[str]:
    names = list(host.tax.filtered)
    if names:
        yield f"seccomp filters in {_many(len(names), 'program')} ({_some(names)})"


def _mitigations(host: Host) -> Iterator[str]:
    at_entry = [name for name, text in host.tax.flaws.items() if name in AT_ENTRY and text.startswith("Mitigation")]
    if at_entry:
        yield f"mitigations of {_many(len(at_entry), 'CPU flaw')} ({_some(at_entry)})"


def _todo(programs: list[BpfProgram], audited: bool) -> Iterator[str]:
    if programs:
        yield "ask whoever runs these programs whether they have to watch every system call"
    if audited:
        yield "auditctl -l shows the rules; ask their owner before you change one"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
