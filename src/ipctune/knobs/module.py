"""A kernel module as a part of a knob: loaded or absent."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ipctune.errors import NotPossible

__all__ = ["ModulePart"]

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class ModulePart:
    """`loaded` or `absent`, by modprobe(8) and rmmod(8); /sys/module tells which."""

    name: str
    parameters: tuple[str, ...] = ()
    path: str = _PATH
    modules: str = "/sys/module"

    @property
    def where(self) -> str:
        return f"module {self.name}"

    def read(self) -> str | None:
        """Whether the module is loaded."""
        return "loaded" if (Path(self.modules) / self.name).is_dir() else "absent"

    def write(self, text: str) -> None:
        """Load or remove it.

        Raises NotPossible with modprobe's own words (EBUSY: another driver is registered), or after 30 s.
        """
        if text == "loaded":
            self._call("modprobe", self.name, *self.parameters)
        elif text == "absent":
            self._call("rmmod", self.name)
        else:
            raise NotPossible(f"module {self.name} can be loaded or absent, not {text!r}")

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """Remove the module if we loaded it; a module that was there before is left alone."""
        if original != "absent" or (ours is not None and "loaded" not in ours):
            return []
        name = shlex.quote(self.name)
        return [f"[ ! -d {shlex.quote(self.modules)}/{name} ] || rmmod {name} || failed=1"]

    def _call(self, tool: str, *arguments: str) -> None:
        program = shutil.which(tool, path=self.path)
        if program is None:
            raise NotPossible(f"{tool} is not here", hint="apt install kmod")
        import subprocess  # not at the top: the watchdog stays small

        try:
            done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotPossible(f"{tool} {' '.join(arguments)}: {error}", hint="dmesg may tell more") from error
        if done.returncode:
            raise NotPossible(f"{tool} {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
