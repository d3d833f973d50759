"""Sockets as the kernel's sock_diag tells them: queues of listeners, peers, states.

A reader of our own, as /proc/net/unix and /proc/net/tcp show no backlog and `ss` or a library may not be there.
Sources: sock_diag(7); include/uapi/linux/{netlink,sock_diag,unix_diag,inet_diag}.h.
"""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "DGRAM",
    "ESTABLISHED",
    "LISTEN",
    "STREAM",
    "TIME_WAIT",
    "TcpSocket",
    "UnixSocket",
    "messages",
    "open_diag",
    "parse_tcp",
    "parse_unix",
    "tcp_sockets",
    "unix_sockets",
]

ESTABLISHED, TIME_WAIT, LISTEN = 1, 6, 10
STREAM, DGRAM = 1, 2
ANY_STATE = 0xFFFFFFFF
_SOCK_DIAG_BY_FAMILY, _DUMP = 20, 0x301
_ERROR, _DONE = 2, 3
_SHOW = 1 | 4 | 0x10  # name, peer, queues
_NAME, _PEER, _QUEUES = 0, 2, 4
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_UNIX, _TCP = struct.Struct("=BBBxI8x"), struct.Struct("=BBBB4s16s16s12xIIIII")
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """One Unix socket. Of a listener `queue` are connections that wait for accept(), `most` its backlog."""

    inode: int
    type: int
    state: int
    name: str
    peer: int
    queue: int
    most: int


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """One TCP socket; addresses are (text, port). `inode` is 0 in TIME_WAIT: nobody has it open any more."""

    inode: int
    state: int
    local: tuple[str, int]
    remote: tuple[str, int]
    queue: int
    most: int
    uid: int


def open_diag() -> socket.socket:
    """A netlink socket that tells of the network namespace in which it was made."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 4)  # NETLINK_SOCK_DIAG
    made.settimeout(_PATIENCE_S)
    return made


def unix_sockets(asked: socket.socket, states: int = ANY_STATE) -> list[UnixSocket]:
    """Every Unix socket of the namespace in one of `states`, a mask of `1 << state`. Raises OSError."""
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, states, 0, _SHOW, 0xFFFFFFFF, 0xFFFFFFFF)
    return [one for body in _dump(asked, request) if (one := parse_unix(body))]


def tcp_sockets(asked: socket.socket, states: int = ANY_STATE) -> list[TcpSocket]:
    """Every TCP socket of the namespace in one of `states`, IPv4 and IPv6. Raises OSError."""
    found: list[TcpSocket] = []
    for family in (socket.AF_INET, socket.AF_INET6):
        request = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 0, states)
        found += [one for body in _dump(asked, request) if (one := parse_tcp(body))]
    return found


def parse_unix(body: bytes) -> UnixSocket | None:
    """One answer about a Unix socket; None where it is cut short."""
    if len(body) < _UNIX.size:
        return None
    _, kind, state, inode = _UNIX.unpack_from(body)
    told = dict(_attributes(body[_UNIX.size :]))
    queue, most = struct.unpack("=II", told.get(_QUEUES, b"").ljust(8, b"\0")[:8])
    (peer,) = struct.unpack("=I", told.get(_PEER, b"").ljust(4, b"\0")[:4])
    return UnixSocket(inode, kind, state, _unix_name(told.get(_NAME, b"")), peer, queue, most)


def parse_tcp(body: bytes) -> TcpSocket | None:
    """One answer about a TCP socket; None where it is cut short or of another family."""
    if len(body) < _TCP.size:
        return None
    family, state, _, _, ports, source, target, _, queue, most, uid, inode = _TCP.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    here, there = struct.unpack(">HH", ports)
    local, remote = (_address(family, raw) for raw in (source, target))
    return TcpSocket(inode, state, (local, here), (remote, there), queue, most, uid)


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message in `data`; ends where one is cut short."""
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            return
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _dump(asked: socket.socket, request: bytes) -> Iterator[bytes]:
    asked.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _DUMP, 1, 0) + request)
    while data := asked.recv(1 << 17):
        for kind, body in messages(data):
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -struct.unpack_from("=i", body.ljust(4, b"\0"))[0]
                raise OSError(code, os.strerror(code))
            yield body


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= length <= len(data):
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]


def _unix_name(raw: bytes) -> str:
    """A path, or `@name` for one in the abstract namespace (unix(7)); empty where it is not bound."""
    text = raw.decode("utf-8", "replace")
    return "@" + text[1:] if text.startswith("\0") else text.partition("\0")[0]


def _address(family: int, raw: bytes) -> str:
    text = socket.inet_ntop(family, raw[:4] if family == socket.AF_INET else raw)
    return text.removeprefix("::ffff:") if "." in text else text
