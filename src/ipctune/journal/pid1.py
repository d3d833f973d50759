"""What we ask of systemd as PID 1: a timer for the deadline, and the unit of a committed lease.

systemd-run(1), systemctl(1), sd_booted(3). Elsewhere every one of these does nothing.
"""

import os
import subprocess
import time
import zlib
from contextlib import suppress
from pathlib import Path

from ipctune.errors import NotPossible
from ipctune.host.state import State
from ipctune.journal.lasting import UNIT, tool
from ipctune.journal.store import UNDO

__all__ = ["call", "clear_timer", "deadline_unit", "set_timer", "systemd", "unit", "unit_active"]

_USUAL = Path("/var/lib/ipctune")
UNIT_NAME = Path(UNIT).name


def systemd() -> bool:
    """Whether systemd is the init here and we may ask it for units (sd_booted(3))."""
    return os.geteuid() == 0 and Path("/run/systemd/system").is_dir() and tool("systemd-run") is not None


def deadline_unit(state: State) -> str:
    """The timer's name: each state folder has its own, so that none can stop or replace another's."""
    name = "ipctune-deadline"
    return name if state.path == _USUAL else f"{name}-{zlib.crc32(os.fsencode(state.path)):08x}"


def unit_active() -> bool:
    """Whether the unit of a committed lease runs."""
    done = call("systemctl", "--quiet", "is-active", UNIT_NAME) if systemd() else None
    return done is not None and done.returncode == 0


def unit(action: str) -> None:
    """Start or stop the unit of a committed lease."""
    call("systemctl", action, UNIT_NAME)


def set_timer(state: State, until: float) -> None:
    """Under systemd: PID 1 runs `undo.sh` at that wall-clock time, should everything of ours be gone by then.

    Raises NotPossible where PID 1 does not take it.
    """
    if not systemd():
        return
    clear_timer(state)
    # UTC: our time zone need not be PID 1's, and an hour that a clock change repeats would be ambiguous.
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(until + 1))
    done = call(
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={deadline_unit(state)}",
        f"--on-calendar={when}",
        "--timer-property=AccuracySec=1s",
        "--description=ipctune: what is not committed goes back",
        "/bin/sh",
        str(state.path / UNDO),
    )
    if done is None or done.returncode:
        why = "it does not answer" if done is None else done.stderr.strip()
        raise NotPossible(f"no timer for the deadline: {why}", hint="systemctl status may tell more")


def clear_timer(state: State) -> None:
    """Take the deadline's timer of this state folder away again."""
    if systemd():
        call("systemctl", "stop", f"{deadline_unit(state)}.timer")
        call("systemctl", "reset-failed", f"{deadline_unit(state)}.service")


def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run one of systemd's programs; None where it can't be run or does not answer."""
    path = tool(program)
    if path is None:
        return None
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run([path, *arguments], check=False, capture_output=True, text=True, timeout=30)
    return None
