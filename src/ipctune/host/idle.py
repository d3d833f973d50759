"""How an idle vCPU waits: the cpuidle driver and governor, haltpoll, and who asked for short wake-ups."""

from ipctune.host.core import Facts
from ipctune.host.model import HaltpollModule, HaltpollParameters, Idle, IdleState
from ipctune.host.processes import Processes
from ipctune.host.root import Root
from ipctune.host.text import flag, number, words

__all__ = ["read_idle"]

_CPU = "/sys/devices/system/cpu"
_HALTPOLL = "/sys/module/haltpoll/parameters"
_DRIVER = "/sys/module/cpuidle_haltpoll"


def read_idle(root: Root, facts: Facts, release: str, online: tuple[int, ...], processes: Processes) -> Idle:
    """The idle driver, its governor, their parameters, and requests that override them."""
    folder = f"{_CPU}/cpuidle"
    driver = root.line(f"{folder}/current_driver")
    governor = root.line(f"{folder}/current_governor")
    states = _states(root)
    return Idle(
        driver=None if driver in (None, "none") else driver,
        governor=governor or root.line(f"{folder}/current_governor_ro"),
        governors=words(root.text(f"{folder}/available_governors")),
        governor_writable_path=governor is not None,
        haltpoll=_haltpoll(root),
        states=states,
        poll_state_index=next((state.index for state in states if state.name == "POLL"), None),
        haltpoll_module=_module(root, release),
        haltpoll_force=flag(root.text(f"{_DRIVER}/parameters/force")),
        cpu_dma_latency=root.exists("/dev/cpu_dma_latency"),
        holders=processes.latency_holders,
        holders_complete=processes.complete,
        resume_latency=_resume_latency(root, online),
        latency_request_us=facts.value(int, "observed", "cpu_dma_latency"),
        polled_vcpus=facts.value(float, "observed", "polled_vcpus"),
    )


def _haltpoll(root: Root) -> HaltpollParameters | None:
    if not root.names(_HALTPOLL):
        return None
    value = {name: root.text(f"{_HALTPOLL}/{name}") for name in HaltpollParameters.__slots__}
    return HaltpollParameters(
        guest_halt_poll_ns=number(value["guest_halt_poll_ns"]),
        guest_halt_poll_shrink=number(value["guest_halt_poll_shrink"]),
        guest_halt_poll_grow=number(value["guest_halt_poll_grow"]),
        guest_halt_poll_grow_start=number(value["guest_halt_poll_grow_start"]),
        guest_halt_poll_allow_shrink=flag(value["guest_halt_poll_allow_shrink"]),
    )


def _states(root: Root) -> tuple[IdleState, ...]:
    found: list[IdleState] = []
    for name in root.names(f"{_CPU}/cpu0/cpuidle", "state[0-9]*"):
        folder = f"{_CPU}/cpu0/cpuidle/{name}"
        index = number(name.removeprefix("state"))
        label = root.line(f"{folder}/name")
        if index is None or label is None:
            continue
        found.append(
            IdleState(
                index=index,
                name=label,
                latency_us=number(root.text(f"{folder}/latency")),
                time_us=number(root.text(f"{folder}/time")),
                usage=number(root.text(f"{folder}/usage")),
                disabled=(number(root.text(f"{folder}/disable")) or 0) != 0,
            )
        )
    return tuple(sorted(found, key=lambda state: state.index))


def _module(root: Root, release: str) -> HaltpollModule:
    """Whether this kernel has the driver cpuidle-haltpoll, and in which form."""
    if root.names(_DRIVER):
        # Only a loadable module has a state of its own; code that is built in has none.
        return "loaded" if root.exists(f"{_DRIVER}/initstate") else "built-in"
    for folder in (f"/lib/modules/{release}", f"/usr/lib/modules/{release}"):
        if root.grep(f"{folder}/modules.builtin", "/cpuidle-haltpoll.ko"):
            return "built-in"
        listed = root.grep(f"{folder}/modules.dep", "/cpuidle-haltpoll.ko")
        if listed is not None:
            return "module" if listed else "absent"
    return "unknown"


def _resume_latency(root: Root, online: tuple[int, ...]) -> dict[int, str]:
    found: dict[int, str] = {}
    for cpu in online:
        told = root.line(f"{_CPU}/cpu{cpu}/power/pm_qos_resume_latency_us")
        if told is not None:
            found[cpu] = told
    return found
