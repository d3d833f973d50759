"""The state folder: where journal, runs and the watchdog's files lie, and how they reach the disk.

Root's own (`/var/lib/ipctune`, 0700) when root runs us, the user's own otherwise. Nothing in it is read
when someone else could have written it: what root restores from must be root's.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ipctune.errors import NotPossible

__all__ = ["State", "hidden_state", "open_state", "state_path"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 16 << 20
_ROOTS = Path("/var/lib/ipctune")


def state_path() -> Path:
    """Where the state folder is: `IPCTUNE_STATE`, root's `/var/lib/ipctune`, or the user's XDG folder.

    Raises NotPossible for a user without a home folder.
    """
    chosen = os.environ.get("IPCTUNE_STATE")
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return _ROOTS
    try:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    except RuntimeError as error:
        hint = "set IPCTUNE_STATE to a folder of yours, or HOME"
        raise NotPossible("there is no place for the state folder: this user has no home folder", hint=hint) from error
    return Path(base) / "ipctune"


def hidden_state() -> str:
    """Root's folder, where it is there and not ours to read: what root set is unknown then. Else nothing."""
    return str(_ROOTS) if os.geteuid() != 0 and _ROOTS.is_dir() and not os.access(_ROOTS, os.R_OK | os.X_OK) else ""


@dataclass(frozen=True, slots=True)
class State:
    """A folder that only we can write. Names below it may hold one `/` (a subfolder, 0700 too)."""

    path: Path

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is none.

        Raises NotPossible where it is a symlink, not a plain file, someone else's, or writable by others.
        """
        target = self._path(name)
        try:
            self._check_folder(name)
            fd = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused(self.path / name, error.strerror or str(error)) from error
        with os.fdopen(fd, "rb") as file:
            _check_ours(os.fstat(fd), self.path / name, stat.S_ISREG)
            return file.read(_LARGEST)

    def write(self, name: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace the file durably: written aside, synced, renamed, and its folder synced.

        Raises NotPossible (a full disk, a read-only folder): the old content is then still whole.
        """
        target = self._path(name)
        aside = target.with_name(f".{target.name}.{os.getpid()}.new")
        try:
            self._ensure(target.parent)
            _write_aside(aside, data, mode)
            aside.rename(target)
            _sync_directory(target.parent)
        except OSError as error:
            with suppress(OSError):  # on a read-only file system there is nothing to remove
                aside.unlink(missing_ok=True)
            raise _cannot_write(target, error) from error

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a log, and sync it. A torn last line of an earlier crash is closed first."""
        target = self._path(name)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._ensure(target.parent)
            with os.fdopen(os.open(target, flags, 0o600), "rb+", buffering=0) as file:
                _check_ours(os.fstat(file.fileno()), target, stat.S_ISREG)
                torn = file.seek(0, os.SEEK_END) > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
                whole = (b"\n" if torn else b"") + line.rstrip(b"\n") + b"\n"
                if file.write(whole) != len(whole):  # a disk that fills up takes a part without an error
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
        except OSError as error:
            raise _cannot_write(target, error) from error

    def remove(self, name: str) -> None:
        """Remove the file if it is there, and sync its folder."""
        target = self._path(name)
        try:
            target.unlink(missing_ok=True)
            if target.parent.is_dir():
                _sync_directory(target.parent)
        except OSError as error:
            raise _cannot_write(target, error) from error

    def names(self, folder: str) -> list[str]:
        """The plain names in a subfolder, sorted; unfinished files (written aside) are left out."""
        try:
            self._check_folder(f"{folder}/")
            found = os.listdir(self._path(folder))  # noqa: PTH208 - names, not paths
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _refused(self.path / folder, error.strerror or str(error)) from error
        return sorted(f"{folder}/{name}" for name in found if not name.startswith("."))

    def _check_folder(self, name: str) -> None:
        """A subfolder must be one of ours too: a symlink there would lead to files that are not."""
        folder, slash, _ = name.partition("/")
        if slash:
            _check_ours(os.lstat(self._path(folder)), self.path / folder, stat.S_ISDIR)

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if not 1 <= len(parts) <= 2 or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"not a name in the state folder: {name!r}")
        return self.path.joinpath(*parts)

    def _ensure(self, folder: Path) -> None:
        if folder != self.path:
            folder.mkdir(mode=0o700, exist_ok=True)
            _check_ours(os.lstat(folder), folder, stat.S_ISDIR)


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    fd = os.open(path, _DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def open_state(path: Path | None = None, *, create: bool = True) -> State | None:
    """The state folder, checked: a directory of ours, no symlink, mode 0700, not in anyone else's hands.

    None where it does not exist and `create` is false. Raises NotPossible where it can't be trusted or made.
    """
    try:
        where = (path or state_path()).absolute()
    except NotPossible:
        if create:
            raise
        return None  # nothing can have been kept in a place that there is not
    try:
        if create:
            _make_parents(where)
            where.mkdir(mode=0o700, exist_ok=True)
        with _directory(where) as fd:
            _check_ours(os.fstat(fd), where, stat.S_ISDIR)
        _check_ancestors(where)
    except FileNotFoundError:
        if create:
            raise
        return None
    except OSError as error:
        raise _refused(where, error.strerror or str(error)) from error
    return State(where)


def _make_parents(where: Path) -> None:
    """Whatever the umask, nobody else may write them: it would let others swap the folder."""
    for parent in reversed(where.parents):
        if not parent.is_dir():
            parent.mkdir(mode=0o755, exist_ok=True)


def _check_ours(status: os.stat_result, path: Path, kind: object) -> None:
    if not callable(kind) or not kind(status.st_mode):
        raise _refused(path, "it is not what we put there")
    if status.st_uid != os.geteuid():
        raise _refused(path, f"it belongs to uid {status.st_uid}, not to uid {os.geteuid()}")
    if status.st_mode & 0o022:
        raise _refused(path, f"others can write it (mode {stat.S_IMODE(status.st_mode):o})")


def _check_ancestors(where: Path) -> None:
    """Refuse a folder that someone else could swap for another (a writable parent without the sticky bit).

    A user's own folders may be writable by their group, as a umask of 002 makes them: there the group is the user's.
    For root that is not enough.
    """
    for parent in where.parents:
        status, user = parent.stat(), os.geteuid()
        others = 0o002 if user != 0 and status.st_uid == user else 0o022
        if status.st_uid not in (0, user) or (status.st_mode & others and not status.st_mode & stat.S_ISVTX):
            raise _refused(where, f"others can replace it through {parent}")


def _write_aside(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    with _directory(path) as fd:
        os.fsync(fd)


def _refused(path: Path, why: str) -> NotPossible:
    return NotPossible(f"{path} can't be used: {why}", hint="look at it, then move it away or set IPCTUNE_STATE")


def _cannot_write(path: Path, error: OSError) -> NotPossible:
    return NotPossible(
        f"{path} can't be written: {error.strerror or error}",
        hint="nothing was changed without a record; free space, or set IPCTUNE_STATE to a folder that can be written",
    )
