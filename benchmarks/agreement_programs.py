"""Programs of others, run for `agreement`: found, placed on vCPUs, bounded in time, and ended whatever happens."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from ipctune.errors import NotPossible

__all__ = ["LIMIT_S", "Place", "compiled", "hackbench", "perf", "said"]

LIMIT_S = 30.0
"""Seconds that one block may take."""

Place = tuple[int, int] | None
"""The vCPU of whoever starts a message, and of whoever answers or receives it. None: the scheduler's."""

_PERFS = ("usr/bin/perf_*", "usr/lib/linux-tools*/perf", "usr/lib/linux-tools*/*/perf")
_LOOK_S = 0.0003
_HERE = Path(__file__).resolve().parent


@cache
def perf() -> str:
    """A perf that runs: the word itself may be a wrapper that wants the running kernel's. Raises NotPossible."""
    named = [path for path in (shutil.which("perf"),) if path]
    for path in [*named, *(str(p) for pattern in _PERFS for p in sorted(Path("/").glob(pattern)))]:
        with contextlib.suppress(NotPossible):
            said([path, "bench", "sched", "pipe", "-l", "10"])
            return path
    raise NotPossible("no perf that runs", hint="package linux-perf (Debian), linux-tools-generic (Ubuntu)")


def hackbench() -> str:
    """The hackbench of rt-tests. Raises NotPossible."""
    path = shutil.which("hackbench")
    if path is None:
        raise NotPossible("no hackbench", hint="package rt-tests (Debian, Ubuntu)")
    return path


@cache
def compiled(folder: Path) -> str:
    """The bare loops, built as their own first lines say. Raises NotPossible."""
    target = folder / "loops"
    try:
        command = [os.environ.get("CC", "cc"), "-O2", "-o", str(target), str(_HERE / "loops.c")]
        subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotPossible(f"the bare loops could not be built: {error}", hint="package gcc") from None
    return str(target)


def said(command: Sequence[str], place: Place = None) -> str:
    """What a program prints. Raises NotPossible if it fails, or takes longer than a block may."""
    first = [] if place is None else ["taskset", "-c", str(place[0])]
    with _running([*first, *command]) as process:
        if place is not None and place[1] != place[0]:
            _move_partner(process, place[1])
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise NotPossible(f"longer than {LIMIT_S:.0f} s: {' '.join(command)}") from None
        if process.returncode:
            raise NotPossible(f"exit {process.returncode} of {' '.join(command)}: {err.strip()[-200:]}")
        return out


@contextlib.contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, so that Ctrl-C reaches us alone; all of it has ended when this is left."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise NotPossible(f"{command[0]} does not start: {error}") from None
    with process:
        try:
            yield process
        finally:
            if process.returncode is None:  # not reaped yet, so the number is still ours
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _move_partner(process: subprocess.Popen[str], cpu: int) -> None:
    """Pin what a program starts first to another vCPU: no option of perf's or hackbench's does that.

    Both start their answering or receiving side first, as a child or as a thread.
    """
    end = time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < end:
        found = _started_by(process.pid)
        if found is not None:
            os.sched_setaffinity(found, {cpu})
            return
        time.sleep(_LOOK_S)
    raise NotPossible("a program ended, or went on for long, before it had a second side")


def _started_by(pid: int) -> int | None:
    """The first child, or else the first thread, of a process."""
    folder = Path(f"/proc/{pid}/task")
    try:
        children = (folder / str(pid) / "children").read_text().split()
        threads = [int(task.name) for task in folder.iterdir() if int(task.name) != pid]
    except OSError:
        return None
    return int(children[0]) if children else min(threads, default=None)
