"""A setting that any machine lets us try, and one whose effect is made, where no real one would help.

Which levers help differs from one machine to another: some have no idle driver, or a host that polls already. What the
loop does with a lever must be tested on all of them, so the file of a real knob is written for real, and what it
brings is made: whatever is measured computes `SLOWER_NS` longer a message while that file reads as it was found.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipctune.host.core import find_core

__all__ = [
    "FOUND",
    "GOVERNOR",
    "HALTPOLL",
    "KNOB",
    "SETTING",
    "SLOWER_NS",
    "made_helpful",
    "needs_haltpoll",
    "slower",
    "slower_without_pollers",
]

KNOB = "autogroup"
SETTING = Path("/proc/sys/kernel/sched_autogroup_enabled")
SLOWER_NS = 60_000
HALTPOLL = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
GOVERNOR = Path("/sys/devices/system/cpu/cpuidle/current_governor")


def _reads(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


FOUND = _reads(SETTING)
"""How the setting was found; empty where there is none."""
_HALTPOLLS = _reads(GOVERNOR.with_name("current_driver")) not in ("", "none") and _reads(GOVERNOR) == "haltpoll"
needs_haltpoll = pytest.mark.skipif(
    not _HALTPOLLS or _reads(HALTPOLL) != "0", reason="no idle driver with a haltpoll governor at 0 ns here"
)


def slower() -> str:
    """Words of the shell that give `SLOWER_NS` while the setting reads as it does now, and 0 while it does not."""
    return f"$([ $(cat {SETTING}) = {FOUND} ] && echo {SLOWER_NS} || echo 0)"


def slower_without_pollers() -> str:
    """The same while the caller has no child of SCHED_IDLE (5, the 41st field of proc_pid_stat(5)).

    So much longer that what a poller really does to a message on the machine at hand does not count beside it.
    """
    idle = "$4 == parent && $41 == 5 { found = 1 } END { print found ? 0 : 1000000 }"
    return f"$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent=$PPID '{idle}')"


@contextmanager
def made_helpful(folder: Path, work: str | None = None) -> Iterator[None]:
    """A measuring core for which changing the setting helps a ping-pong, as long as the context lasts.

    Or what else: `work` are words of the shell that give the ns a side computes for a message.
    """
    core = find_core()
    assert core is not None
    script = folder / "core-with-a-lever"
    script.write_text(
        f'#!/bin/sh\n[ "$1" != run ] || set -- "$@" --work {work or slower()}\nexec {shlex.quote(str(core))} "$@"\n'
    )
    script.chmod(0o755)
    before = os.environ.get("IPCTUNE_CORE")
    os.environ["IPCTUNE_CORE"] = str(script)
    try:
        yield
    finally:
        if before is None:
            del os.environ["IPCTUNE_CORE"]
        else:
            os.environ["IPCTUNE_CORE"] = before
