"""A tuner with nothing to measure: it makes every journalled step of `ipctune tune`, over settings of this kernel.

Run by `kills.py` alone, inside a private IPC namespace. Arguments: seconds to hold, rounds of trials, a command to
put before the watchdog's (a tracer that kills it, or a call that makes it die with us), and the only knob to try.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ipctune.journal import launch
from ipctune.journal.change import Change
from ipctune.journal.session import tuning
from ipctune.journal.store import open_journal
from ipctune.knobs.registry import KNOBS

__all__ = ["HELD", "VALUES", "main"]

_GOVERNORS = Path("/sys/devices/system/cpu/cpuidle")
_AUTOGROUP = "kernel.sched_autogroup_enabled"


def _another_governor() -> str:
    """One that this kernel has and does not use; at the start of a run everything is as it was found."""
    present = (_GOVERNORS / "current_governor").read_text().strip()
    return next(name for name in (_GOVERNORS / "available_governors").read_text().split() if name != present)


def _other_autogroup() -> str:
    return {"0": "1"}.get(Path("/proc/sys", *_AUTOGROUP.split(".")).read_text().strip(), "0")


VALUES: Mapping[str, Mapping[str, str]] = {
    "haltpoll": {"guest_halt_poll_ns": "150000"},
    "resume-latency": {"cpu0": "n/a"},
    "cpuidle-governor": {"governor": _another_governor()},
    "autogroup": {_AUTOGROUP: _other_autogroup()},
    "fs.pipe-max-size": {"fs.pipe-max-size": "16777216"},
    "kernel.msgmax": {"kernel.msgmax": "131072"},
    "kernel.msgmnb": {"kernel.msgmnb": "131072"},
    "cpu-dma-latency": {"latency_us": "1000000"},
}
"""Values that differ from any default; the lease's asks for nothing that costs."""
HELD = "held"


def main(hold: float, rounds: int, before_watchdog: str, only: str = "") -> None:
    """Try each knob, then the whole set, then keep it: the calls of `tune.trials`, `tune.proof` and `tune.loop`."""
    if before_watchdog:
        _start_watchdog_by(before_watchdog)
    values = {only: VALUES[only]} if only else VALUES
    journal = open_journal()
    assert journal is not None
    with tuning(journal) as session:
        for knob, value in values.items():
            with Change(journal, KNOBS[knob], [value]) as change:
                for _ in range(rounds):
                    change.set(0)
                    change.unset()
        with ExitStack() as stack:
            changes = [stack.enter_context(Change(journal, KNOBS[knob], [value])) for knob, value in values.items()]
            for change in changes:
                change.set(0)
            for change in reversed(changes):
                change.unset()
            for change in changes:
                change.keep(0)
                session.keep(change.knob, change.values[0])
        session.hold_until(hold, "kills")
    journal.note(HELD)


def _start_watchdog_by(command: str) -> None:
    """Have the watchdog's interpreter started by another program, which has to keep its pid."""
    interpreter = launch._interpreter()
    script = Path(os.environ["IPCTUNE_STATE"], "start-watchdog")
    script.write_text(f'#!/bin/sh\nexec {command} {interpreter} "$@"\n')
    script.chmod(0o700)
    launch._interpreter = lambda: script


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
