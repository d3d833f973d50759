"""What the kernel's audit does, asked over netlink: whether it is on, who takes its records, how many rules it has.

Takes CAP_AUDIT_CONTROL in the first namespaces. Source: include/uapi/linux/audit.h, struct audit_status.
"""

import os
import socket
import struct
from collections.abc import Iterator

__all__ = ["audit_status"]

_NETLINK_AUDIT = 9
_GET, _LIST_RULES = 1000, 1013
_ERROR, _DONE = 2, 3
_REQUEST = 1
_HEAD = struct.Struct("=IHHII")
_STATUS = struct.Struct("=IIII")  # mask, enabled, failure, pid
_PATIENCE = 0.5
_MOST_RULES = 10_000


def audit_status() -> dict[str, int]:
    """`enabled` (0 off, 1 on, 2 locked), `daemon` (a pid, 0 for none), `rules`. Raises OSError where refused."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT) as asked:
        asked.settimeout(_PATIENCE)
        status = next(body for kind, body in _ask(asked, _GET) if kind == _GET)
        _, enabled, _, daemon = _STATUS.unpack_from(status)
        rules = sum(kind == _LIST_RULES for kind, _ in _ask(asked, _LIST_RULES))
    return {"enabled": enabled, "daemon": daemon, "rules": rules}


def _ask(asked: socket.socket, kind: int) -> Iterator[tuple[int, bytes]]:
    """The answers to one question, by type. Raises OSError with the kernel's errno, or where none comes."""
    asked.sendto(_HEAD.pack(_HEAD.size, kind, _REQUEST, kind, 0), (0, 0))
    for _ in range(_MOST_RULES):
        data = asked.recv(1 << 16)
        _, got, _, sequence, _ = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if got == _ERROR and (code := struct.unpack_from("=i", body)[0]):
            raise OSError(-code, os.strerror(-code))
        if got == _DONE:
            return
        if sequence == kind and got == kind:
            yield got, body
            if kind == _GET:
                return
    raise OSError("the kernel's answer does not end")
