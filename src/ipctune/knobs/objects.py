"""Live objects of another process: its pipes, its Unix sockets, the System V queues that it uses.

Each is changed where it is, and journalled by a mark (`marks.py`): pid, start time and inode, and no path. Here and in
`files.py` is all that writes a setting. A TCP socket's buffers are no part of it: setting one ends its autotuning.
Sources: fcntl(2) F_SETPIPE_SZ, socket(7) SO_SNDBUF, unix(7), msgctl(2) IPC_SET, pidfd_getfd(2).
"""

import errno
import fcntl
import os
import shlex
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING

from ipctune.errors import NotPossible
from ipctune.host.calls import pidfd_getfd, queue, set_queue_bytes
from ipctune.knobs.marks import Mark, parse
from ipctune.knobs.model import Part
from ipctune.knobs.others import Ended, descriptor, inside, is_text_of_numbers, refuse

if TYPE_CHECKING:  # where it is used: the watchdog, which imports all knobs, stays small
    import socket

__all__ = ["MarkedParts", "PipePart", "QueuePart", "SocketPart"]

_FORCED = 32  # SO_SNDBUFFORCE, include/uapi/asm-generic/socket.h
_TRIES, _PAUSE = 100, 0.01  # of a pipe that holds more than it is to have: its reader may be about to read


class MarkedParts(Mapping[str, Part]):
    """The parts of a knob that are named by marks: none is listed, and each mark of the right kind is one."""

    def __init__(self, kinds: Sequence[str], make: Callable[[Mark], Part], named: Sequence[str] | None = None) -> None:
        self._kinds, self._make, self._named = kinds, make, named

    def __getitem__(self, name: str) -> Part:
        mark = parse(name)
        if mark is None or mark.kind not in self._kinds or (self._named is not None and mark.rest not in self._named):
            raise KeyError(name)
        return self._make(mark)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class _Live:
    """What pipes, sockets and queues share: `knob` is the id of theirs."""

    mark: Mark
    knob: str

    @property
    def where(self) -> str:
        raise NotImplementedError

    def _get(self) -> int:
        raise NotImplementedError

    def _set(self, value: int) -> None:
        raise NotImplementedError

    def read(self) -> str | None:
        """The present value in bytes; None where it is gone or may not be seen."""
        try:
            return str(self._get())
        except (OSError, NotPossible, NotImplementedError):
            return None

    def write(self, text: str) -> None:
        """Set it. Raises NotPossible with the kernel's reason, also where it has gone with its process."""
        if not is_text_of_numbers(text) or " " in text:
            raise NotPossible(f"{text!r} is no size", hint="the journal may have been edited")
        try:
            self._set(int(text))
        except OSError as error:
            raise refuse(self.where, text, error) from error

    def is_gone(self) -> bool:
        """Whether nobody has it any more."""
        try:
            self._get()
        except Ended:
            return True
        except (OSError, NotPossible, NotImplementedError):
            return False
        return False

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """No shell can set it: a line that says what is left while the process lives."""
        what = f"{self.where} (it was {original})"
        return [shlex.join(["ends_with", self.knob, str(self.mark.pid), str(self.mark.start), what])]


class PipePart(_Live):
    """The capacity of one pipe without a name, in bytes."""

    __slots__ = ()

    @property
    def where(self) -> str:
        return f"capacity of pipe:[{self.mark.inode}] of process {self.mark.pid}"

    def _get(self) -> int:
        with self._opened() as fd:
            return int(fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ))

    def _set(self, value: int) -> None:
        with self._opened() as fd:
            _resize(fd, value)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """A descriptor of our own, for as short as can be: while we have it, a writer is not told of a closed end."""
        with descriptor(self.mark) as (folder, pid, number):
            try:
                fd = os.open(f"fd/{number}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            except FileNotFoundError as error:
                raise Ended(f"process {pid} has closed it") from error
        try:
            about = os.fstat(fd)
            if not stat.S_ISFIFO(about.st_mode) or about.st_ino != self.mark.inode or about.st_dev != _pipes():
                raise Ended(f"process {pid} has closed it")
            yield fd
        finally:
            os.close(fd)


def _resize(fd: int, value: int) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, value)
        except OSError as error:
            if error.errno != errno.EBUSY:  # it holds more than that
                raise
        else:
            return
        sleep(_PAUSE)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, value)


def _pipes() -> int:
    """The device number of all pipes without a name (pipefs)."""
    reader, writer = os.pipe()
    try:
        return os.fstat(reader).st_dev
    finally:
        os.close(reader)
        os.close(writer)


class SocketPart(_Live):
    """The send buffer of one Unix socket, in bytes as SO_SNDBUF reads it: twice what setsockopt(2) is given."""

    __slots__ = ()

    @property
    def where(self) -> str:
        return f"SO_SNDBUF of socket:[{self.mark.inode}] of process {self.mark.pid}"

    def _get(self) -> int:
        import socket

        with self._socket() as found:
            return found.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    def _set(self, value: int) -> None:
        import socket

        with self._socket() as found:
            try:
                found.setsockopt(socket.SOL_SOCKET, _FORCED, value // 2)
            except PermissionError:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, value // 2)

    @contextmanager
    def _socket(self) -> Iterator["socket.socket"]:
        import socket

        with descriptor(self.mark) as (_, pid, number):
            try:
                fd = pidfd_getfd(pid, int(number))  # its folder is open: the pid can't be another's unless it ended
            except ProcessLookupError as error:
                raise Ended(f"process {pid} has ended") from error
        if not stat.S_ISSOCK(os.fstat(fd).st_mode) or os.fstat(fd).st_ino != self.mark.inode:
            os.close(fd)
            raise Ended(f"process {pid} has closed it")
        with socket.socket(fileno=fd) as found:
            if found.family != socket.AF_UNIX:
                raise PermissionError(1, "it is no Unix socket")
            yield found


class QueuePart(_Live):
    """The limit of one System V queue, in bytes."""

    __slots__ = ()

    @property
    def where(self) -> str:
        return f"msg_qbytes of queue {self.mark.queue()[0]} of process {self.mark.pid}"

    def _get(self) -> int:
        return inside(self.mark, self._bytes)

    def _bytes(self) -> int:
        """In its namespace. IPC_SET moves the time of its last change, so that a later one may be ours."""
        msqid, key, changed = self.mark.queue()
        try:
            found = queue(msqid)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EIDRM):
                raise Ended(f"queue {msqid} was removed") from error
            raise
        if found.key != key or found.changed < changed:
            raise Ended(f"queue {msqid} is another one by now")
        return found.bytes

    def _set(self, value: int) -> None:
        def change() -> None:
            self._bytes()
            set_queue_bytes(self.mark.queue()[0], value)

        inside(self.mark, change)
