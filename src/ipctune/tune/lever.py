"""The idle lever: which one this machine has, what it would take, and its switch for a measurement of `bench`.

haltpoll at 200 µs where it can be set, else the lease on wake-up latency. Both are set as a trial sets them: through
the journal, looked after by the watchdog, taken back whatever happens.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ipctune.bench.recommend import CutShort
from ipctune.bench.recommendation import Lever
from ipctune.errors import NotPossible
from ipctune.host.findings_idle import REMAINS, always_polls
from ipctune.host.model import Host
from ipctune.journal.session import guarded
from ipctune.journal.store import Journal
from ipctune.knobs.idle import LEASE_PATH
from ipctune.knobs.model import Knob, Value
from ipctune.knobs.registry import KNOBS
from ipctune.tune.guard import Guard, Stopped
from ipctune.tune.model import Settings
from ipctune.tune.switch import Switch, switched

__all__ = ["GuardedLever", "about_lever", "find_lever", "lever_on", "paths_of"]

_POLL_NS = "200000"
_KNOBS = ("haltpoll", "cpu-dma-latency")
"""In the order of preference: the first costs nothing on an idle machine."""
_WATCHED_S = 1.2
"""What others do before anything is set: a shorter look says nothing of ticks and bursts."""


def find_lever(host: Host) -> tuple[Knob, Value] | None:
    """The knob and its value; None where this machine has none that is not on already."""
    for name in _KNOBS if host.idle.driver is not None else ():
        knob = KNOBS[name]
        for value in knob.candidates(host, {}):
            if name != "haltpoll" or _POLL_NS in value.values():
                return knob, value
    return None


def about_lever(host: Host, *, asked: bool) -> Lever:
    """What is said of it before anything is measured."""
    found = None if _is_on(host) else find_lever(host)
    if found is None:
        return Lever(None, "", "", "", _what_it_takes(host))
    knob, value = found
    needs = "" if asked else "--with-lever measures it: asks first, and takes it back"
    return Lever(knob.id, knob.title, knob.describe(value), knob.price, needs)


def _is_on(host: Host) -> str:
    """Why every message finds awake vCPUs already; empty where not."""
    idle = host.idle
    if always := always_polls(host):
        return f"idle vCPUs never halt here ({always} on the boot command line)"
    if idle.driver and idle.latency_request_us == 0 and idle.poll_state_index is not None:
        return "a wake-up latency of 0 µs is asked for already"
    if idle.driver and idle.governor == "haltpoll" and idle.haltpoll and idle.haltpoll.guest_halt_poll_ns:
        polls = idle.haltpoll.guest_halt_poll_ns
        return f"guest_halt_poll_ns is {polls} already" if polls >= int(_POLL_NS) else ""
    return ""


def _what_it_takes(host: Host) -> str:
    """What this machine would need, in words."""
    if on := _is_on(host):
        return f"nothing: {on}, so the figures above are those with it"
    if host.idle.driver is None:
        return f"{_driver_words(host)}. Without it: {REMAINS}"
    if not host.privileges.root:
        return "root, to ask for it"
    reasons = (f"{KNOBS[name].title}: {KNOBS[name].why_not(host)}" for name in _KNOBS)
    return "; ".join(reasons)


def _driver_words(host: Host) -> str:
    none = "no cpuidle driver here: an idle vCPU halts whatever is asked for"
    if host.hypervisor.name != "KVM":
        return f"{none}, and no boot parameter changes that on this hypervisor"
    if host.idle.haltpoll_module == "built-in":
        return f"{none}. It takes cpuidle_haltpoll.force=1 on the boot command line"
    if host.idle.haltpoll_module == "module":
        return f"{none}. It takes `modprobe cpuidle_haltpoll force=1`, or that on the boot command line"
    return f"{none}. It takes a kernel with cpuidle_haltpoll (CONFIG_HALTPOLL_CPUIDLE), and its force=1"


def paths_of(knob: Knob, value: Value) -> tuple[str, ...]:
    """What setting it writes, or opens."""
    parts = knob.parts()
    found = tuple(parts[name].where for name in value if name in parts)
    return found or (LEASE_PATH,)


@dataclass
class GuardedLever:
    """The switch with a rest after each turn, and a look at the machine's own programs before it."""

    switch: Switch
    guard: Guard
    seconds: float

    def turn(self, *, on: bool) -> None:
        """Set it or take it back, and let the machine rest. Raises NotPossible; CutShort where others come short."""
        try:
            self.guard.check(self.switch.off)
        except Stopped as stopped:
            raise CutShort(stopped.why) from None
        if on:
            self.switch.on()
        else:
            self.switch.off()
        time.sleep(self.seconds)


@contextmanager
def lever_on(journal: Journal, guard: Guard, found: tuple[Knob, Value]) -> Iterator[GuardedLever]:
    """Inside `journal.session.exclusive`: the switch; whatever happens, it is off and restored afterwards.

    Raises NotPossible where others come short of CPU or memory now, or where it can't be set.
    """
    time.sleep(_WATCHED_S)
    if why := guard.ready():
        raise NotPossible(f"not now: {why}", hint="at a quieter hour, or without --with-lever; nothing was changed")
    knob, value = found
    with guarded(journal), switched(journal, [(knob, value)]) as switch:
        yield GuardedLever(switch, guard, max(Settings().rest, knob.settle))
