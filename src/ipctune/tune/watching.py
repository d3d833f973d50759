"""The first stage: watch the machine's own programs, measure what a wake-up costs them, and name where they wait."""

import dataclasses
from collections.abc import Callable

from ipctune.bench.hops import hop_cost
from ipctune.host.is_it_ipc import ceiling, judge
from ipctune.host.model import Host
from ipctune.host.model_watch import Rates, Watch
from ipctune.host.watch import WatchCut, observe

__all__ = ["CutShort", "sleep_ns", "watch_host"]

_UNSAID_NS = 1_000_000.0  # how long a vCPU sleeps where nothing tells


class CutShort(KeyboardInterrupt):
    """Ctrl-C during the watch; `watch` is what had been seen."""

    def __init__(self, watch: Watch | None) -> None:
        super().__init__()
        self.watch = watch


def watch_host(host: Host, seconds: float, seed: int, tick: Callable[[str], None] = lambda _: None) -> Watch | None:
    """Watch for `seconds`, and measure a hop for about one more; None where /proc tells nothing. Raises CutShort."""
    try:
        rates = observe(seconds, tick)
    except WatchCut as cut:
        raise CutShort(_unmeasured(host, cut.rates, "interrupted")) from None
    if rates is None:
        return None
    try:
        return _measured(host, rates, seed, tick)
    except KeyboardInterrupt:
        raise CutShort(_unmeasured(host, rates, "interrupted")) from None


def _measured(host: Host, rates: Rates, seed: int, tick: Callable[[str], None]) -> Watch:
    """The answer with a hop's cost as it is here and now."""
    busy = {vcpu.cpu: vcpu.busy for vcpu in rates.vcpus}
    cost = hop_cost(host.cpus.allowed, busy, sleep_ns(rates), seed, tick=tick)
    known = _about(host, rates)
    return judge(known, ceiling(known, cost.halted_ns, cost.awake_ns, cost.unknown))


def _unmeasured(host: Host, rates: Rates | None, why: str) -> Watch | None:
    """The answer where a hop's cost is not known."""
    if rates is None:
        return None
    known = _about(host, rates)
    return judge(known, ceiling(known, None, None, why))


def _about(host: Host, rates: Rates) -> Rates:
    """Rates with what only the host's facts tell: the page size, and whether steal is reported at all."""
    return dataclasses.replace(rates, page=host.memory.page, steal_reported=host.steal.reported)


def sleep_ns(rates: Rates) -> float:
    """How long a vCPU sleeps before it is woken: by cpuidle, else what the wake-ups leave between them."""
    if rates.halted_ns is not None:
        return rates.halted_ns
    free = len(rates.vcpus) - rates.busy
    return free * 1e9 / rates.wakes if rates.wakes and free > 0 else _UNSAID_NS
