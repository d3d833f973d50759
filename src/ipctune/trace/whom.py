"""Whose calls are watched: a process, those of a unit or a control group, those of a name, or everybody's."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ipctune.errors import NotPossible, WrongUse

__all__ = ["Whom"]

_COMM_BYTES = 15
_UNIT = re.compile(r"\.(service|scope|slice|socket|mount)$")


@dataclass(frozen=True, slots=True)
class Whom:
    """At most one of the first three; `comm` is a thread's name (proc_pid_comm(5)), of 15 bytes at most."""

    pids: tuple[int, ...] = ()
    unit: str = ""
    cgroup: str = ""
    comm: str = ""

    def __post_init__(self) -> None:
        if bool(self.pids) + bool(self.unit) + bool(self.cgroup) > 1:
            raise WrongUse("--pid, --unit and --cgroup are three choices", hint="leave all but one out")
        if len(self.comm.encode()) > _COMM_BYTES:
            raise WrongUse(f"--comm {self.comm}", hint="the kernel keeps 15 bytes of a name: see /proc/PID/comm")

    @property
    def everybody(self) -> bool:
        """Whether no process is left out by its number."""
        return not (self.pids or self.unit or self.cgroup)

    def processes(self, root: Path = Path("/proc"), *, all_of_them: bool = False) -> set[int]:
        """The processes that are meant now, as their ids here.

        Raises NotPossible where there are none; with `all_of_them` also where one that was named is not there.
        """
        if self.pids:
            found = {pid for pid in self.pids if (root / str(pid)).is_dir()}
            missing = sorted(set(self.pids) - found)
            if missing and (all_of_them or not found):
                raise NotPossible(f"there is no process {missing[0]}")
            return found
        found = set(self._members(root))
        if not found:
            what = self.unit or self.cgroup
            raise NotPossible(f"no process is in {what}", hint="systemd-cgls shows groups and units")
        return found

    def _members(self, root: Path) -> Iterator[int]:
        for entry in root.iterdir():
            if entry.name.isdigit():
                with suppress(OSError):  # it has ended meanwhile
                    if any(map(self._is_meant, _groups((entry / "cgroup").read_text(errors="replace")))):
                        yield int(entry.name)

    def _is_meant(self, path: str) -> bool:
        if self.unit:
            name = self.unit if _UNIT.search(self.unit) else f"{self.unit}.service"
            return name in path.split("/")
        asked = "/" + self.cgroup.removeprefix("/sys/fs/cgroup").strip("/")
        return path == asked or path.startswith(asked.rstrip("/") + "/")


def _groups(text: str) -> Iterator[str]:
    """The paths of a process's groups, of every hierarchy (cgroups(7))."""
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield parts[2]
