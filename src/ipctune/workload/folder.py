"""The data folder of a real server: made for one run, removed when that is over, or by the next one.

Its name says whose it is: `ipctune-NAME-PIDNS-PID-START-RANDOM`, with the process that removes it, that process' start
time (proc_pid_stat(5)) and its pid namespace. So a later run can tell what a dead predecessor left, and leaves alone
what belongs to one that lives, to another user, or to another namespace, whose pids mean nothing here.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from pwd import getpwnam

__all__ = ["make", "remove", "sweep"]

_NAME = re.compile(r"ipctune-[a-z0-9_-]+-(?P<space>\d+)-(?P<pid>\d+)-(?P<start>\d+)-[a-z0-9_]+")


def make(name: str, user: str | None) -> Path:
    """A new folder, which only we can change, with a folder `data` below that belongs to `user` (None: to us)."""
    prefix = f"ipctune-{name}-{_pid_namespace()}-{os.getpid()}-{_start_time(os.getpid())}-"
    made = Path(tempfile.mkdtemp(prefix=prefix))
    data = made / "data"
    data.mkdir(mode=0o700)
    if user is not None:
        made.chmod(0o711)  # `user` may pass through, and see nothing
        entry = getpwnam(user)
        os.chown(data, entry.pw_uid, entry.pw_gid)
    return made


def remove(folder: Path) -> None:
    """Remove it with everything below, without following a link out of it."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """End what dead predecessors of ours left running in their folders, and remove these."""
    for folder in _left_behind():
        for pid in _living_below(folder):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        remove(folder)


def _left_behind() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob("ipctune-*"):
        named = _NAME.fullmatch(folder.name)
        if named is None or int(named["space"]) != _pid_namespace():
            continue
        with suppress(OSError):
            found = folder.lstat()
            ours = found.st_uid == os.geteuid() and folder.is_dir() and not folder.is_symlink()
            if ours and _start_time(int(named["pid"])) != int(named["start"]):
                yield folder


def _living_below(folder: Path) -> Iterator[int]:
    """Processes that work in `folder` and have no terminal: a shell of someone who looks at it is not ours."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with suppress(OSError, IndexError):
            inside = Path(f"/proc/{entry.name}/cwd").readlink().is_relative_to(folder)
            if inside and _stat(int(entry.name))[4] == "0":
                yield int(entry.name)


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start_time(pid: int) -> int:
    """Clock ticks since boot when it started; -1 where there is no such process, or it ended and nobody reaped it."""
    try:
        fields = _stat(pid)
        return -1 if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError):
        return -1


def _stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5), from the third (the state) on."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
