"""Put what is kept aside for a while, and back in force: how `verify` measures both arms."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ipctune.errors import NotPossible
from ipctune.journal.lock import locked, measuring
from ipctune.journal.machine import start_time
from ipctune.journal.session import in_force, recover
from ipctune.journal.store import Journal
from ipctune.journal.switched import Aside, kept_entries

__all__ = ["Aside", "putting_aside"]

_SPARE = 30.0  # seconds


@contextmanager
def putting_aside(journal: Journal, seconds: float) -> Iterator[Aside]:
    """Hold the lock; whatever happens inside, what was kept is in force afterwards.

    The orders say who puts it aside: where that process is killed, the next command puts it back in force.
    Raises NotPossible where nothing is active, or where its deadline is closer than `seconds` and half a minute.
    """
    with measuring(journal.state), locked(journal.state):
        recover(journal)
        active = in_force(journal)
        if active.until is not None and active.until - time.time() < seconds + _SPARE:
            raise NotPossible(
                "it goes back by itself before that is measured", hint="ipctune keep --for 1h, then verify"
            )
        pid = os.getpid()
        marked = replace(active, aside=pid, aside_start=start_time(pid) or 0)
        journal.set_active(marked)
        aside = Aside(journal, marked, kept_entries(journal))
        try:
            yield aside
        finally:
            aside.on()
            journal.set_active(active)
