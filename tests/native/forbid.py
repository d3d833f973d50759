"""`python forbid.py CALL ERRNO COMMAND…`: the command, for whom one system call fails with that errno (seccomp(2))."""

import ctypes
import os
import platform
import struct
import sys

_X86 = {"splice": 275, "tee": 276, "vmsplice": 278, "sendfile": 40, "copy_file_range": 326}
_GENERIC = {"splice": 76, "tee": 77, "vmsplice": 75, "sendfile": 71, "copy_file_range": 285}
NUMBERS = {"io_uring_setup": 425, **(_X86 if platform.machine() == "x86_64" else _GENERIC)}

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


def forbid(call: str, number: int) -> None:
    """From here on, for this process and what it starts. Raises OSError."""
    steps = (
        (_LOAD, 0, 0, 0),
        (_JUMP_EQUAL, 0, 1, NUMBERS[call]),
        (_RETURN, 0, 0, _FAIL | number),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)
    if done:
        raise OSError(ctypes.get_errno(), "no filter can be had")


if __name__ == "__main__":
    forbid(sys.argv[1], int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])
