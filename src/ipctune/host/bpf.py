"""eBPF programs that are loaded, by bpf(2) alone: type, name, raw tracepoint, and ns a run where the kernel counts.

Takes CAP_SYS_ADMIN (bpf_prog_get_fd_by_id). Layouts: struct bpf_prog_info and union bpf_attr, include/uapi/linux/bpf.h.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

__all__ = ["TYPES", "bpf", "loaded_programs"]

TYPES = {
    2: "kprobe",
    5: "tracepoint",
    7: "perf_event",
    17: "raw_tracepoint",
    24: "raw_tracepoint_writable",
    26: "tracing",
}
"""Program types that can stand in the way of a system call (enum bpf_prog_type)."""

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_PROG_NEXT, _PROG_FD, _INFO, _LINK_FD, _LINK_NEXT = 11, 13, 15, 30, 31
_INFO_BYTES = 256
_NAME_AT, _NAME_BYTES = 64, 16
_RUNS_AT = 192  # run_time_ns, run_cnt
_MOST = 2000


def loaded_programs() -> list[dict[str, object]]:
    """The programs of those types. Raises OSError where bpf(2) is refused or not there."""
    try:
        import ctypes  # noqa: F401  not at the top: a small Python may come without it
    except ImportError as error:
        raise OSError("this Python has no ctypes") from error
    tracepoints = dict(_tracepoints())
    found: list[dict[str, object]] = []
    for ident in _ids(_PROG_NEXT):
        about = _about(ident)
        if about is not None:
            found.append({"id": ident, "at": tracepoints.get(ident), **about})
    return found


def bpf(command: int, attributes: bytearray) -> int:
    """bpf(2) with these attributes, which it may change. Raises OSError."""
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError("no number for bpf(2) here")
    import ctypes

    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    result = int(ctypes.CDLL(None, use_errno=True).syscall(number, command, buffer, len(attributes)))
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return result


def _ids(command: int) -> Iterator[int]:
    """All ids in turn; the last one is followed by ENOENT."""
    ident = 0
    for _ in range(_MOST):
        attributes = bytearray(struct.pack("=III", ident, 0, 0))
        try:
            bpf(command, attributes)
        except FileNotFoundError:
            return
        ident = struct.unpack_from("=I", attributes, 4)[0]
        yield ident


def _about(ident: int) -> dict[str, object] | None:
    """Type, name and ns a run of one program; None for other types and for one that has gone meanwhile."""
    import ctypes

    info = ctypes.create_string_buffer(_INFO_BYTES)
    try:
        fd = bpf(_PROG_FD, bytearray(struct.pack("=III", ident, 0, 0)))
    except FileNotFoundError:
        return None
    try:
        bpf(_INFO, bytearray(struct.pack("=IIQ", fd, _INFO_BYTES, ctypes.addressof(info))))
    finally:
        os.close(fd)
    kind = TYPES.get(struct.unpack_from("=I", info, 0)[0])
    if kind is None:
        return None
    name = info.raw[_NAME_AT : _NAME_AT + _NAME_BYTES].split(b"\0")[0].decode("ascii", "replace")
    spent, runs = struct.unpack_from("=QQ", info, _RUNS_AT)
    return {"type": kind, "name": name, "ns": spent / runs if runs else None}


def _tracepoints() -> Iterator[tuple[int, str]]:
    """Program id and raw tracepoint of each link that names one; none before Linux 5.8, where links have no ids."""
    try:
        for ident in _ids(_LINK_NEXT):
            fd = bpf(_LINK_FD, bytearray(struct.pack("=III", ident, 0, 0)))
            try:
                told = dict(line.split(":", 1) for line in _fdinfo(fd).splitlines() if ":" in line)
            finally:
                os.close(fd)
            program, name = told.get("prog_id", "").strip(), told.get("tp_name", "").strip()
            if program.isdigit() and name:
                yield int(program), name
    except OSError:
        return


def _fdinfo(fd: int) -> str:
    return Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii", errors="replace")
