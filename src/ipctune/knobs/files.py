"""The one place that writes a setting: an allow-list of paths, the write, and reading it back.

Paths come from the entries of this folder alone; whatever a journal or a user says is held against them.
"""

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ipctune.errors import NotPossible
from ipctune.knobs.model import normal

__all__ = ["ALLOWED", "FilePart", "allow", "is_allowed"]

ALLOWED: dict[str, re.Pattern[str]] = {}
"""Every path that may be written, as shown to the user → its pattern. Filled by `allow` alone."""

_LARGEST = 4096


def allow(path: str) -> str:
    """Add a path to the allow-list; `cpu*` in it stands for one vCPU's number. Returns the path."""
    pattern = re.escape(path).replace(r"cpu\*", "cpu[0-9]{1,4}")
    ALLOWED[path] = re.compile(pattern)
    return path


def is_allowed(path: str, patterns: Iterable[re.Pattern[str]] | None = None) -> bool:
    """Whether the path may be written."""
    return any(p.fullmatch(path) for p in (ALLOWED.values() if patterns is None else patterns))


@dataclass(frozen=True, slots=True)
class FilePart:
    """A setting that is one file's text, below /proc/sys or /sys."""

    path: str

    @property
    def where(self) -> str:
        return self.path

    def read(self) -> str | None:
        """The file's text, white space normalised; None where it is missing or may not be read."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return normal(os.read(fd, _LARGEST).decode("utf-8", "replace"))
        except OSError:
            return None
        finally:
            os.close(fd)

    def write(self, text: str) -> None:
        """Write the text in one write(2).

        Raises NotPossible for a path outside the allow-list and for whatever the kernel says (EINVAL, EPERM, EROFS).
        """
        if not is_allowed(self.path):
            raise NotPossible(f"{self.path} is not a setting of ours", hint="the journal may have been edited")
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise NotPossible(
                f"{self.path} does not take {text!r}: {error.strerror} ({_name(error)})",
                hint=_HINTS.get(error.errno or 0, ""),
            ) from error

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """One call of the script's `restore` function: path, original, and what counts as ours."""
        accepted = ["--any"] if ours is None else list(dict.fromkeys(ours))
        return [shlex.join(["restore", self.path, original, *accepted])]


def _name(error: OSError) -> str:
    import errno

    return errno.errorcode.get(error.errno or 0, "?")


_HINTS = {
    1: "this needs root with the right capability, or the host (a container) keeps it",
    13: "this needs root",
    22: "the kernel finds the value wrong",
    30: "this file system is read-only here, as in most containers",
}
