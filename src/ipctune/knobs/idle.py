"""Knobs for how an idle vCPU waits: what waking a halted one costs is the largest price that IPC pays in a guest.

Sources: the kernel's Documentation/virt/guest-halt-polling.rst, Documentation/power/pm_qos_interface.rst,
Documentation/admin-guide/pm/cpuidle.rst.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.host.model import Host
from ipctune.knobs.files import FilePart, allow
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Lasting, Parts, Scope, Value
from ipctune.knobs.module import ModulePart
from ipctune.knobs.single import file_knob

__all__ = ["KNOBS", "LEASE_PATH"]

LEASE_PATH = allow("/dev/cpu_dma_latency")
_HALTPOLL = "/sys/module/haltpoll/parameters"
_PARAMETERS = (
    "guest_halt_poll_ns",
    "guest_halt_poll_grow_start",
    "guest_halt_poll_grow",
    "guest_halt_poll_shrink",
    "guest_halt_poll_allow_shrink",
)
_PATHS = {name: allow(f"{_HALTPOLL}/{name}") for name in _PARAMETERS}
_RESUME = allow("/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us")
_UPSTREAM_POLL_NS = "200000"
_WAKE = frozenset({Cause.HALTED_WAKE})


@contextmanager
def _hold_latency(value: Value) -> Iterator[object]:
    """Hold a request on wake-up latency (µs, a binary s32); the kernel drops it when the descriptor closes."""
    try:
        fd = os.open(LEASE_PATH, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NotPossible(f"{LEASE_PATH} can't be opened: {error.strerror}", hint="this needs root") from error
    try:
        os.write(fd, struct.pack("=i", int(value["latency_us"])))
        yield fd
    finally:
        os.close(fd)


def _lease_candidates(host: Host, _hints: Hints) -> Sequence[Value]:
    if not os.access(LEASE_PATH, os.W_OK) or not host.idle.driver:
        return ()
    return ({"latency_us": "0"},)


def _lease_why_not(host: Host) -> str:
    if not host.idle.driver:
        return "no cpuidle driver: an idle vCPU executes HLT whatever is requested"
    return f"{LEASE_PATH} is not there or needs root"


def _haltpoll_parts() -> Parts:
    return {name: FilePart(path) for name, path in _PATHS.items() if Path(path).exists()}


def _haltpoll_candidates(host: Host, hints: Hints) -> Sequence[Value]:
    if not host.privileges.root or host.idle.governor != "haltpoll":
        return ()
    present = {name: part.read() for name, part in _haltpoll_parts().items()}
    now = present.get("guest_halt_poll_ns")
    if now is None:
        return ()
    wanted = [_UPSTREAM_POLL_NS, *_unlike(hints.get("poll_ns"), _UPSTREAM_POLL_NS)]
    return tuple({"guest_halt_poll_ns": ns} for ns in wanted if ns != now)


def _unlike(suggested: str | None, other: str) -> list[str]:
    """A suggestion that is worth a trial of its own: not within half as much again of the other value."""
    if suggested is None or 2 / 3 <= int(suggested) / int(other) <= 1.5:
        return []
    return [suggested]


def _haltpoll_why_not(host: Host) -> str:
    if host.idle.governor != "haltpoll":
        return f"the cpuidle governor is {host.idle.governor or 'none'}, not haltpoll"
    return f"{_HALTPOLL} is not there, needs root, or has the value already"


def _governors(host: Host, _hints: Hints) -> Sequence[str]:
    available = host.idle.governors
    if not host.privileges.root or host.idle.driver is None or "haltpoll" not in available:
        return ()
    return () if host.idle.governor == "haltpoll" else ("haltpoll",)


def _governor_why_not(host: Host) -> str:
    if host.idle.governor == "haltpoll":
        return "haltpoll is the governor already"
    return "no cpuidle driver, no haltpoll governor in this kernel, or not root"


def _resume_parts() -> Parts:
    found = Path("/").glob(_RESUME.lstrip("/").replace("cpu*", "cpu[0-9]*"))
    return {path.parts[-3]: FilePart(str(path)) for path in sorted(found)}


def _resume_candidates(host: Host, hints: Hints) -> Sequence[Value]:
    """The consumer's vCPU alone: half the burn of a request for all of them."""
    if not host.privileges.root or not host.idle.driver:
        return ()
    parts = _resume_parts()
    consumer = f"cpu{hints.get('consumer_cpu', host.cpus.allowed[-1])}"
    part = parts.get(consumer)
    return ({consumer: "n/a"},) if part is not None and part.read() not in (None, "n/a") else ()


def _resume_why_not(host: Host) -> str:
    if not host.idle.driver:
        return "no cpuidle driver: there is no state to be kept out of"
    return "pm_qos_resume_latency_us is not there, needs root, or is set already"


def _module_parts() -> Parts:
    return {"module": ModulePart("cpuidle_haltpoll", ("force=1",))}


def _module_candidates(host: Host, _hints: Hints) -> Sequence[Value]:
    if not host.privileges.root or host.idle.driver is not None or host.hypervisor.name != "KVM":
        return ()
    if host.idle.haltpoll_module != "module":
        return ()
    # With 0, loading it only switches the host's own polling off: worse than not loading it.
    polls = host.idle.haltpoll is None or host.idle.haltpoll.guest_halt_poll_ns != 0
    return ({"module": "loaded"},) if polls else ()


def _module_why_not(host: Host) -> str:
    if host.idle.driver is not None:
        return f"a cpuidle driver is registered already ({host.idle.driver})"
    if host.idle.haltpoll_module == "built-in":
        return "built in but dormant: boot with cpuidle_haltpoll.force=1"
    return "not a KVM guest with cpuidle_haltpoll as a module, or not root"


def _boot_candidates(host: Host, _hints: Hints) -> Sequence[Value]:
    dormant = host.idle.haltpoll_module == "built-in" and host.idle.driver is None
    return ({"boot line": "cpuidle_haltpoll.force=1"},) if dormant and host.hypervisor.name == "KVM" else ()


def _boot_why_not(_host: Host) -> str:
    return "no dormant cpuidle_haltpoll driver in this kernel"


KNOBS = (
    Knob(
        id="haltpoll",
        title="haltpoll guest_halt_poll_ns",
        kind=Kind.FILES,
        scope=Scope.HOST,
        helps=_WAKE,
        parts=_haltpoll_parts,
        candidates=_haltpoll_candidates,
        why_not=_haltpoll_why_not,
        price="an idle vCPU polls for up to this long after each wake-up; nothing on an idle machine",
        reach="every program on this machine, at once; containers too",
        source="Documentation/virt/guest-halt-polling.rst",
        lasting=Lasting.TMPFILES,
        settle=0.05,
        since=(5, 4),
    ),
    Knob(
        id="cpu-dma-latency",
        title="wake-up latency request",
        kind=Kind.LEASE,
        scope=Scope.HOST,
        helps=_WAKE,
        candidates=_lease_candidates,
        why_not=_lease_why_not,
        lease=_hold_latency,
        price="every idle vCPU polls for ever: the whole machine's CPU, which the guest counts as idle",
        reach="every program on this machine, at once; containers too",
        source="Documentation/power/pm_qos_interface.rst",
        lasting=Lasting.UNIT,
        since=(2, 6),
        always_polls=True,
        undo="ends by itself",
    ),
    Knob(
        id="resume-latency",
        title="wake-up latency limit of one vCPU",
        kind=Kind.FILES,
        scope=Scope.HOST,
        helps=_WAKE,
        parts=_resume_parts,
        candidates=_resume_candidates,
        why_not=_resume_why_not,
        price="that vCPU polls for ever when it is idle",
        reach="whatever runs on that vCPU, at once",
        source="Documentation/admin-guide/pm/cpuidle.rst",
        lasting=Lasting.TMPFILES,
        settle=0.05,
        since=(4, 16),
        always_polls=True,
    ),
    file_knob(
        "cpuidle-governor",
        "/sys/devices/system/cpu/cpuidle/current_governor",
        part="governor",
        title="cpuidle governor",
        helps=Cause.HALTED_WAKE,
        texts=_governors,
        why_not=_governor_why_not,
        price="what guest_halt_poll_ns says: an idle vCPU polls for up to that long after each wake-up",
        reach="every program on this machine, at once; containers too",
        source="Documentation/admin-guide/pm/cpuidle.rst",
        lasting=Lasting.TMPFILES,
        settle=0.1,
        since=(5, 4),
    ),
    Knob(
        id="haltpoll-module",
        title="cpuidle_haltpoll, forced",
        kind=Kind.FILES,
        scope=Scope.HOST,
        helps=_WAKE,
        parts=_module_parts,
        candidates=_module_candidates,
        why_not=_module_why_not,
        price="as haltpoll; and the host stops its own polling for this guest",
        reach="every program on this machine, at once; containers too",
        source="drivers/cpuidle/cpuidle-haltpoll.c",
        lasting=Lasting.MODULE,
        settle=0.2,
        since=(5, 4),
        not_tried="tried with a stand-in for modprobe alone: no kernel at hand has it as a module",
    ),
    Knob(
        id="haltpoll-boot",
        title="cpuidle_haltpoll on the boot command line",
        kind=Kind.ADVICE,
        scope=Scope.HOST,
        helps=_WAKE,
        candidates=_boot_candidates,
        why_not=_boot_why_not,
        price="as haltpoll; and the host stops its own polling for this guest",
        reach="every program on this machine, after a reboot",
        source="drivers/cpuidle/cpuidle-haltpoll.c",
        since=(5, 4),
        undo="remove it from the boot command line and reboot",
        not_tried="takes a reboot: advice alone",
    ),
)
