"""Start the watchdog where neither logout nor a killed tuner reaches it, from files that only we can write.

Under systemd it is a transient unit; elsewhere a process of its own POSIX session. Its code is a copy in the
state folder: it goes on when the clone and the environment are deleted, and root runs nothing that others can write.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipctune
from ipctune.errors import NotPossible
from ipctune.host.state import State
from ipctune.journal.lasting import TOOLS
from ipctune.journal.machine import alive, namespaces, start_time
from ipctune.journal.pid1 import call, clear_timer, set_timer, systemd, unit, unit_active
from ipctune.journal.watchdog import STATUS

__all__ = [
    "WATCHDOG_UNIT",
    "Watchdog",
    "clear_timer",
    "end",
    "oom_score_adj",
    "prepare",
    "set_timer",
    "start",
    "status",
    "systemd",
    "unit",
    "unit_active",
]

WATCHDOG_UNIT = "ipctune-watchdog"
_ROOMS = ("host", "knobs", "journal")
_PATIENCE = 10.0  # seconds for a start on a loaded machine
SAID = "watchdog.log"
_MAIN = """\
import os, sys
try: os.dup2(os.open({said!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), 2)
except OSError: pass
sys.path.insert(0, {lib!r})
from ipctune.journal.watchdog import main
main()"""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A running watchdog, as it describes itself."""

    pid: int
    start: int
    generation: int
    holds: tuple[str, ...]
    errors: tuple[str, ...]
    namespaces: dict[str, int]
    polled: tuple[tuple[float, int], ...] = ()

    def resident_bytes(self) -> int | None:
        """Its resident memory (proc_pid_statm(5)), or None."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")


def status(state: State) -> Watchdog | None:
    """The watchdog that runs now, or None."""
    data = state.read(STATUS)
    if data is None:
        return None
    try:
        facts: dict[str, Any] = json.loads(data)
        found = Watchdog(
            int(facts["pid"]),
            int(facts["start"]),
            int(facts["generation"]),
            tuple(facts["holds"]),
            tuple(facts["errors"]),
            dict(facts["namespaces"]),
            tuple((float(when), int(us)) for when, us in facts["polled"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return found if alive(found.pid, found.start) else None


def oom_score_adj(state: State) -> int | None:
    """How much the OOM killer spares the watchdog, -1000 (wholly) to 1000; None where none runs.

    Source: proc_pid_oom_score_adj(5).
    """
    running = status(state)
    try:
        return None if running is None else int(Path(f"/proc/{running.pid}/oom_score_adj").read_text())
    except (OSError, ValueError):
        return None


def prepare(state: State) -> None:
    """Copy the watchdog's code, before there are orders: a run killed meanwhile leaves none that nobody holds."""
    _library(state)


def start(state: State) -> Watchdog:
    """A watchdog that has read the present orders: the running one, told to reread them, or a new one.

    Raises NotPossible where it does not come up, or can't take a lease that it was to hold.
    """
    running = status(state)
    found = None if running is None else _reread(state, running)
    if found is None:
        found = _start_new(state)
    if found.errors:
        raise NotPossible(f"the watchdog reports: {'; '.join(found.errors)}", hint="ipctune revert")
    return found


def _reread(state: State, running: Watchdog) -> Watchdog | None:
    """Have the running watchdog reread its orders; None where it ended meanwhile."""
    _send(running, signal.SIGHUP)
    try:
        return _await(state, running.pid, running.generation)
    except NotPossible:
        if alive(running.pid, running.start):
            raise
        return None


def end(state: State) -> None:
    """Let the watchdog see that it has nothing left to hold or to wait for, and wait until it has ended.

    Raises NotPossible where it does not end.
    """
    running = status(state)
    if running is not None:
        _signal_and_wait(running, signal.SIGHUP)


def _terminate(running: Watchdog) -> None:
    """End it and wait: at its end it removes the status file, which its successor is to write."""
    _signal_and_wait(running, signal.SIGTERM)


def _signal_and_wait(running: Watchdog, number: signal.Signals) -> None:
    _send(running, number)
    limit = time.monotonic() + _PATIENCE
    while alive(running.pid, running.start):
        if time.monotonic() > limit:
            raise NotPossible(f"the watchdog (pid {running.pid}) does not end", hint=f"kill {running.pid}")
        _reap(running.pid)
        time.sleep(0.01)


def _send(running: Watchdog, number: signal.Signals) -> None:
    """Signal that very process: its number may belong to another by now."""
    with suppress(ProcessLookupError):
        fd = os.pidfd_open(running.pid)
        try:
            if alive(running.pid, running.start):
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


def _start_new(state: State) -> Watchdog:
    command = [str(_interpreter()), "-I", "-S", "-B", "-c", _main(state), str(state.path)]
    if systemd():
        call("systemctl", "reset-failed", f"{WATCHDOG_UNIT}.service")
        done = call(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={WATCHDOG_UNIT}",
            "--description=ipctune: restores what is not committed",
            "--property=OOMScoreAdjust=-900",
            *command,
        )
        if done is None:  # it may start one yet: a second one beside it would hold what nobody lets go
            raise NotPossible("systemd-run does not answer: nothing was changed", hint="systemctl status tells more")
        if done.returncode == 0:
            found = _await(state, None, 0)
            if found.namespaces == namespaces():
                return found
            _terminate(found)  # it could not restore what lies in our namespaces
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={"PATH": TOOLS},
    )
    return _await(state, process.pid, 0)


def _main(state: State) -> str:
    """What the interpreter runs; what it complains of goes to a file in the state folder."""
    return _MAIN.format(lib=str(_library(state)), said=str(state.path / SAID))


def _await(state: State, pid: int | None, generation: int) -> Watchdog:
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit:
        found = status(state)
        if found is not None and pid in (None, found.pid) and found.generation > generation:
            return found
        if pid is not None and (_reap(pid) or start_time(pid) is None):
            break
        time.sleep(0.01)
    raise NotPossible("the watchdog did not start: nothing was changed", hint=f"{state.path / SAID} may tell more")


def _reap(pid: int) -> bool:
    """Whether the process, if it is our child, has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _library(state: State) -> Path:
    """A copy of the rooms that restore, in the state folder, under a name that tells its content."""
    package = Path(ipctune.__file__).parent
    files = [
        package / "__init__.py",
        package / "errors.py",
        *(f for room in _ROOMS for f in sorted((package / room).glob("*.py"))),
    ]
    texts = {f.relative_to(package.parent): f.read_bytes() for f in files}
    digest = hashlib.sha256(b"".join(str(n).encode() + b"\0" + text for n, text in texts.items())).hexdigest()[:16]
    library = state.path / f"lib-{digest}"
    if _is_whole(library, texts):
        return library
    shutil.rmtree(library, ignore_errors=True)
    try:
        _copy(texts, library)
    except OSError as error:
        raise NotPossible(f"{library} can't be written: {error.strerror or error}: nothing was changed") from error
    for old in state.path.glob("lib-*"):
        if old != library:
            shutil.rmtree(old, ignore_errors=True)
    return library


def _copy(texts: dict[Path, bytes], library: Path) -> None:
    for name, text in texts.items():
        (library / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (library / name).write_bytes(text)


def _is_whole(library: Path, texts: dict[Path, bytes]) -> bool:
    try:
        return all((library / name).read_bytes() == text for name, text in texts.items())
    except OSError:
        return False


def _interpreter() -> Path:
    """The interpreter itself, outside any environment; for root one that only root can replace."""
    ours = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    if os.geteuid() != 0 or (_only_roots(ours) and _only_roots(Path(os.__file__).resolve())):
        return ours
    path = Path("/usr/bin/python3").resolve()
    library = Path("/usr/lib") / path.name
    if path.exists() and library.is_dir() and _only_roots(path) and _only_roots(library):
        return path
    raise NotPossible(
        f"others can replace the Python interpreter {ours} or its library: root's watchdog must not run it",
        hint="install the distribution's python3, or make that path root's own",
    )


def _only_roots(path: Path) -> bool:
    """Whether root alone can write the file, or put another in its place."""
    found = [p.stat() for p in (path, *path.parents)]
    return all(status.st_uid == 0 and not status.st_mode & 0o022 for status in found)
