"""One limit in namespaces of its own: too low, hit, raised by its knob, passed, taken back, kept, restored.

Run as `unshare --ipc --net python -m tests.host.namespaced KNOB FOLDER`; prints one line of JSON.
"""

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ipctune.host import read_host
from ipctune.host.state import open_state
from ipctune.journal.change import Change
from ipctune.journal.store import Journal
from ipctune.knobs.registry import KNOBS

__all__ = ["CASES", "Case"]

_C = ctypes.CDLL(None, use_errno=True)
_MAKE = 0o1600  # IPC_CREAT, for its owner
_REMOVE = 0  # IPC_RMID
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Case:
    """A value that is too low, the hints of the refusal, what is refused then, and with which errno."""

    low: str
    hints: dict[str, str]
    provoke: Callable[[], int]
    errno: int


def _said(result: int) -> int:
    return ctypes.get_errno() if result < 0 else 0


def _objects(make: Callable[[int], int], remove: Callable[[int], object]) -> int:
    """Make two and remove them again; the errno of the one that is refused, or 0."""
    made: list[int] = []
    for key in (0x1BC1, 0x1BC2):
        made.append(make(key))
        if made[-1] < 0:
            break
    said = _said(made[-1])
    for one in made:
        if one >= 0:
            remove(one)
    return said


def _queues() -> int:
    return _objects(lambda key: _C.msgget(key, _MAKE), lambda one: _C.msgctl(one, _REMOVE, None))


def _segments() -> int:
    return _objects(lambda key: _C.shmget(key, 4096, _MAKE), lambda one: _C.shmctl(one, _REMOVE, None))


def _large_segment() -> int:
    one = _C.shmget(0x1BC3, 3 * os.sysconf("SC_PAGE_SIZE"), _MAKE)
    said = _said(one)
    if one >= 0:
        _C.shmctl(one, _REMOVE, None)
    return said


def _arrays() -> int:
    """An array of two, two arrays, two operations in one call: the first that is refused."""
    said = _objects(lambda key: _C.semget(key, 2, _MAKE), lambda one: _C.semctl(one, 0, _REMOVE))
    if said:
        return said
    one = _C.semget(0x1BC1, 2, _MAKE)
    operations = (ctypes.c_short * 6)(0, 1, 0, 1, 1, 0)  # add 1 to each of the two
    said = _said(_C.semop(one, operations, 2))
    _C.semctl(one, 0, _REMOVE)
    return said


def _posix_queues() -> int:
    def make(key: int) -> int:
        return int(_C.mq_open(f"/test-{key:x}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None))

    said = _objects(make, os.close)
    for key in (0x1BC1, 0x1BC2):
        _C.mq_unlink(f"/test-{key:x}".encode())
    return said


def _connections() -> int:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0test-listener")
        listener.listen(100)
        return _until_refused(20, lambda: _connected(socket.SOCK_STREAM, "\0test-listener"))


def _datagrams() -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0test-receiver")
        with _connected(socket.SOCK_DGRAM, "\0test-receiver") as sender:
            return _until_refused(20, lambda: sender.send(b"x"))


def _connected(kind: int, name: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, kind)
    made.setblocking(False)
    made.connect(name)
    return made


def _until_refused(times: int, action: Callable[[], object]) -> int:
    kept: list[object] = []
    try:
        for _ in range(times):
            kept.append(action())
    except OSError as error:
        return error.errno or 0
    return 0


CASES: dict[str, Case] = {
    "kernel.msgmni": Case("1", {"refused:kernel.msgmni": "2"}, _queues, errno.ENOSPC),
    "kernel.shmmni": Case("1", {"refused:kernel.shmmni": "2"}, _segments, errno.ENOSPC),
    "kernel.shmmax": Case("4096", {"refused:kernel.shmmax": "12288"}, _large_segment, errno.EINVAL),
    "kernel.shmall": Case("2", {"refused:kernel.shmall": "3"}, _large_segment, errno.ENOSPC),
    "kernel.sem": Case(
        "1 32000 1 1",
        {"refused:kernel.sem.semmsl": "2", "refused:kernel.sem.semopm": "2", "refused:kernel.sem.semmni": "2"},
        _arrays,
        errno.EINVAL,
    ),
    "fs.mqueue.queues_max": Case("1", {"refused:fs.mqueue.queues_max": "2"}, _posix_queues, errno.ENOSPC),
    "net.core.somaxconn": Case("1", {"refused:net.core.somaxconn": "20"}, _connections, errno.EAGAIN),
    "net.unix.max_dgram_qlen": Case("1", {"refused:net.unix.max_dgram_qlen": "20"}, _datagrams, errno.EAGAIN),
}
"""Every limit whose namespace can be had for itself."""


def _as_nobody(provoke: Callable[[], int]) -> int:
    """The errno seen by a user without rights: root passes some limits."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        os.write(writer, str(provoke()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    os.waitpid(pid, 0)
    return int(said)


def main(name: str, folder: str) -> dict[str, object]:
    """What happened, step by step."""
    case, knob = CASES[name], KNOBS[name]
    (part,) = knob.parts().values()
    part.write(case.low)
    seen: dict[str, object] = {"low": part.read(), "refused": _as_nobody(case.provoke)}
    (value,) = knob.candidates(read_host(quick=True), case.hints)
    state = open_state(Path(folder))
    assert state is not None
    journal = Journal(state)
    with Change(journal, knob, [value]) as change:
        change.set(0)
        seen |= {"raised": part.read(), "passed": _as_nobody(case.provoke)}
        change.unset()
        seen |= {"taken back": part.read(), "again": _as_nobody(case.provoke)}
        change.keep(0)
    seen["kept"] = part.read()
    seen["results"] = [str(one.result) for one in journal.restore_all("test")]
    return seen | {"value": dict(value), "restored": part.read(), "entries": len(journal.entries())}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
