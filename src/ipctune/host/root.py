"""The one folder below which a machine is read: `/`, a recorded tree, or the archive of one.

Nothing outside it is opened: symbolic links of a tree are followed inside the tree. What can't be read is
None, and the reason is remembered, as is everything that was read (which is what a recording is made of).
"""

import errno
import fnmatch
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from ipctune.host.text import printable

__all__ = ["LIMIT", "DirectorySource", "MappingSource", "Root", "Source"]

LIMIT = 1 << 18
_MOST_NAMES = 100_000
_MOST_LINKS = 40
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Source(Protocol):
    """Where bytes come from. Paths are absolute and normal; every method raises OSError."""

    def read(self, path: str, limit: int) -> bytes: ...
    def names(self, path: str) -> list[str]: ...
    def link(self, path: str) -> str: ...


class Root:
    """A machine's files. `live` is whether it is the one that we run on; `told` are its facts that are no files."""

    def __init__(self, source: Source | None = None, *, live: bool | None = None) -> None:
        self.source: Source = source or DirectorySource(Path("/"))
        self.live = source is None if live is None else live
        self.reads: dict[str, bytes] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        self.links: dict[str, str] = {}
        self.errors: dict[str, int] = {}
        self.told: Mapping[str, object] = {}

    def text(self, path: str, limit: int = LIMIT) -> str | None:
        """The file's text, cut after `limit` bytes, or None."""
        if path not in self.reads and path not in self.errors:
            self._try(path, lambda: self._keep(path, self.source.read(path, limit)))
        data = self.reads.get(path)
        return None if data is None else printable(data.decode("utf-8", "replace"))

    def line(self, path: str) -> str | None:
        """The text as one line, without the space around it; None also for an empty file."""
        return " ".join((self.text(path) or "").split()) or None

    def entries(self, path: str) -> tuple[str, ...]:
        """The entries of a file that separates them by a zero byte, as the environment of a process."""
        if self.text(path) is None:
            return ()
        return tuple(printable(part.decode("utf-8", "replace")) for part in self.reads[path].split(b"\0") if part)

    def grep(self, path: str, needle: str, limit: int = 1 << 23) -> tuple[str, ...] | None:
        """The lines of a large file that contain `needle`; only these are remembered."""
        if path not in self.reads and path not in self.errors:
            wanted = needle.encode()
            self._try(path, lambda: self._keep(path, _matching(self.source.read(path, limit), wanted)))
        data = self.reads.get(path)
        if data is None:
            return None
        return tuple(line for line in printable(data.decode("utf-8", "replace")).splitlines() if needle in line)

    def names(self, path: str, pattern: str = "*") -> tuple[str, ...]:
        """The names in a folder that match `pattern` (fnmatch), sorted; empty where there is none.

        Names that can't be shown as they are stay out: none of the kernel's is like that.
        """
        if path in self.errors:
            return ()
        found: list[str] = []
        self._try(path, lambda: found.extend(self.source.names(path)[:_MOST_NAMES]))
        if path in self.errors:
            return ()
        kept = tuple(sorted(name for name in found if name.isprintable() and fnmatch.fnmatchcase(name, pattern)))
        self.lists[path] = tuple(sorted({*self.lists.get(path, ()), *kept}))
        return kept

    def link(self, path: str) -> str | None:
        """Where a symbolic link points to, unresolved."""
        self._try(path, lambda: self.links.__setitem__(path, self.source.link(path)))
        return self.links.get(path)

    def exists(self, path: str) -> bool:
        """Whether the name is in its folder (which has to be readable)."""
        folder, _, name = path.rpartition("/")
        return name in self.names(folder or "/", name)

    def why_not(self, path: str) -> str | None:
        """Why `path` could not be read: "not there", "permission denied", …; None if it was read."""
        code = self.errors.get(path)
        if code is None:
            return None
        return "not there" if code in (errno.ENOENT, errno.ENOTDIR) else os.strerror(code).lower()

    def denied(self, path: str) -> bool:
        """Whether reading failed for lack of privileges."""
        return self.errors.get(path) in (errno.EACCES, errno.EPERM)

    def _keep(self, path: str, data: bytes) -> None:
        self.reads[path] = data

    def _try(self, path: str, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self.errors[path] = error.errno or errno.EIO


class DirectorySource:
    """A folder of the file system taken as `/`. Links are resolved inside it, as chroot(2) would."""

    def __init__(self, top: Path, unreadable: Mapping[str, int] | None = None) -> None:
        self.top = top
        self.unreadable = unreadable or {}

    def read(self, path: str, limit: int) -> bytes:
        fd = os.open(self._inside(path), _OPEN | self._no_follow())
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a plain file")
            return _read(fd, limit)
        finally:
            os.close(fd)

    def names(self, path: str) -> list[str]:
        with os.scandir(self._inside(path)) as entries:
            return [entry.name for entry, _ in zip(entries, range(_MOST_NAMES), strict=False)]

    def link(self, path: str) -> str:
        _refuse(self.unreadable, path)
        folder, _, name = path.rpartition("/")
        return str(Path(self._inside(folder or "/"), name).readlink())

    def _no_follow(self) -> int:
        return 0 if self._is_all() else os.O_NOFOLLOW

    def _is_all(self) -> bool:
        return self.top == Path("/")

    def _inside(self, path: str) -> Path:
        _refuse(self.unreadable, path)
        if self._is_all():
            return Path(path)
        return self.top / Path(*_resolve(path, self._step)) if _parts(path) else self.top

    def _step(self, parts: list[str]) -> str | None:
        try:
            return str(self.top.joinpath(*parts).readlink())
        except OSError:
            return None


class MappingSource:
    """Files in memory: path to content, and links; folders are what their paths imply."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        links: Mapping[str, str] | None = None,
        unreadable: Mapping[str, int] | None = None,
    ) -> None:
        self.files = files
        self.targets = links or {}
        self.unreadable = unreadable or {}
        self._folders: dict[str, set[str]] = {"/": set()}
        for path in [*files, *self.targets]:
            self._add(path)

    def read(self, path: str, limit: int) -> bytes:
        real = self._inside(path)
        if real in self.files:
            return self.files[real][:limit]
        raise OSError(errno.EISDIR if real in self._folders else errno.ENOENT, "no such file")

    def names(self, path: str) -> list[str]:
        real = self._inside(path)
        if real not in self._folders:
            raise OSError(errno.ENOENT, "no such folder")
        return sorted(self._folders[real])

    def link(self, path: str) -> str:
        _refuse(self.unreadable, path)
        folder, _, name = path.rpartition("/")
        real = f"{self._inside(folder or '/').rstrip('/')}/{name}"
        if real not in self.targets:
            raise OSError(errno.EINVAL if real in self.files else errno.ENOENT, "no link")
        return self.targets[real]

    def _add(self, path: str) -> None:
        while path != "/":
            folder, _, name = path.rpartition("/")
            folder = folder or "/"
            self._folders.setdefault(folder, set()).add(name)
            path = folder

    def _inside(self, path: str) -> str:
        _refuse(self.unreadable, path)
        return "/" + "/".join(_resolve(path, lambda parts: self.targets.get("/" + "/".join(parts))))


def _refuse(unreadable: Mapping[str, int], path: str) -> None:
    """Fail as the recorded machine did."""
    if path in unreadable:
        raise OSError(unreadable[path], "recorded as unreadable")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _resolve(path: str, link_at: Callable[[list[str]], str | None]) -> list[str]:
    """The parts of `path` with every link followed; `..` stops at the top."""
    todo, done, followed = _parts(path), list[str](), 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        target = link_at([*done, part])
        if target is None:
            done.append(part)
            continue
        followed += 1
        if followed > _MOST_LINKS:
            raise OSError(errno.ELOOP, "too many links")
        done = [] if target.startswith("/") else done
        todo = _parts(target) + todo
    return done


def _matching(data: bytes, needle: bytes) -> bytes:
    return b"".join(line + b"\n" for line in data.splitlines() if needle in line)


def _read(fd: int, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    while left > 0:
        part = os.read(fd, min(left, 1 << 16))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
