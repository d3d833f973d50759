"""What there is of workloads on this machine: folders, processes, shared memory. All of it goes with them."""

import glob
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["folders", "nothing_left", "processes", "settled", "state"]


def folders() -> set[str]:
    return set(glob.glob(f"{tempfile.gettempdir()}/ipctune-*"))  # noqa: PTH207


def processes() -> set[int]:
    """Those that work below one of our folders, and those between."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = "/ipctune-" in str((entry / "cwd").readlink())
            if inside or b"ipctune.workload.keeper" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def segments() -> set[str]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines} | set(os.listdir("/dev/shm"))  # noqa: PTH208


def state() -> tuple[set[str], set[int], set[str]]:
    return folders(), processes(), segments()


def settled(before: object, patience: float = 15.0, look: Callable[[], object] = state) -> object:
    """What there is once it is `before`, or after `patience` seconds."""
    end = time.monotonic() + patience
    while (now := look()) != before and time.monotonic() < end:
        time.sleep(0.02)
    return now


@contextmanager
def nothing_left() -> Iterator[None]:
    """At the end there is what there was before."""
    before = state()
    yield
    assert settled(before) == before
