"""Namespaces of another process: their limits, read and written there, and their System V queues.

The files are written by `files.py`; only where from is decided here. Sources: namespaces(7), sysvipc(7).
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.errors import NotPossible
from ipctune.host.limits import sysvipc_columns
from ipctune.knobs.files import FilePart
from ipctune.knobs.limits import sysctl_path
from ipctune.knobs.marks import Mark
from ipctune.knobs.others import Ended, inside, is_text_of_numbers, now_ticks, process, refuse, space_of

__all__ = ["SysctlPart", "queue_ids", "queue_rows", "space_mark"]


@dataclass(frozen=True, slots=True)
class SysctlPart:
    """A limit in another process's IPC or network namespace, below /proc/sys."""

    mark: Mark

    @property
    def where(self) -> str:
        return f"{self.mark.rest} in the {self.mark.space} namespace of process {self.mark.pid}"

    @property
    def _file(self) -> FilePart:
        return FilePart(sysctl_path(self.mark.rest))

    def read(self) -> str | None:
        """Its text there; None where nobody is left in that namespace, or it may not be entered."""
        try:
            return inside(self.mark, self._file.read)
        except (OSError, NotImplementedError):
            return None

    def write(self, text: str) -> None:
        """Set it there. Raises NotPossible with the kernel's reason."""
        if not is_text_of_numbers(text):
            raise NotPossible(f"{text!r} is no limit", hint="the journal may have been edited")
        try:
            inside(self.mark, lambda: self._file.write(text))
        except OSError as error:
            raise refuse(self.where, text, error) from error

    def is_gone(self) -> bool:
        """Whether nobody is left in that namespace who was in it."""
        try:
            inside(self.mark, lambda: None)
        except Ended:
            return True
        except (OSError, NotImplementedError):
            return False
        return False

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """One call of the script's `restore_in`: the namespace, then as for a file of our own."""
        accepted = ["--any"] if ours is None else list(dict.fromkeys(ours))
        space = [self.mark.space, str(self.mark.inode), str(self.mark.ticks)]
        return [shlex.join(["restore_in", *space, self._file.path, original, *accepted])]


def space_mark(pid: int, start: int, kind: str) -> Mark:
    """The process's namespace of that kind (ipc or net), now. Raises OSError."""
    with process(pid, start) as folder:
        return Mark(pid, start, kind, space_of(folder, kind), now_ticks())


def queue_ids() -> list[int]:
    """The ids of all System V queues of the present IPC namespace."""
    return [row["msqid"] for row in queue_rows()]


def queue_rows() -> list[dict[str, int]]:
    """/proc/sysvipc/msg of the present IPC namespace, a row a queue. Raises OSError."""
    with open("/proc/sysvipc/msg", encoding="ascii") as file:  # noqa: PTH123 - of the namespace of this thread
        columns = sysvipc_columns(file.read())
    count = min((len(column) for column in columns.values()), default=0)
    return [{name: column[i] for name, column in columns.items()} for i in range(count)]
