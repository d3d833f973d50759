"""Watch a machine's own programs for some seconds, from /proc and /sys alone. Changes nothing."""

import time
from collections.abc import Callable
from contextlib import suppress

from ipctune.host.look import Look, look
from ipctune.host.model_watch import Rates
from ipctune.host.rates import rates
from ipctune.host.root import Root

__all__ = ["WatchCut", "observe"]

_STEP = 1.0  # seconds between two ticks: each of them wakes a vCPU


class WatchCut(KeyboardInterrupt):
    """Ctrl-C while watching. `rates` are those of the time up to then; None where it was none."""

    def __init__(self, seen: Rates | None) -> None:
        super().__init__()
        self.rates = seen


def observe(
    seconds: float, tick: Callable[[str], None] = lambda _: None, make_root: Callable[[], Root] = Root
) -> Rates | None:
    """Two looks that many seconds apart; None where /proc says nothing. Raises WatchCut on Ctrl-C."""
    before = look(make_root())
    try:
        _wait(before.counters.at + seconds, tick)
        return _since(before, make_root)
    except KeyboardInterrupt:
        seen = None
        with suppress(KeyboardInterrupt):
            seen = _since(before, make_root)
        raise WatchCut(seen) from None


def _since(before: Look, make_root: Callable[[], Root]) -> Rates | None:
    return rates(before, look(make_root(), first=False))


def _wait(end: float, tick: Callable[[str], None]) -> None:
    while (left := end - time.monotonic()) > 0:
        tick("your programs")
        time.sleep(min(_STEP, left))
