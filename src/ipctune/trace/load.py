"""Bring a built program into the kernel by bpf(2) alone, attach it, and read its maps.

Layouts: union bpf_attr (include/uapi/linux/bpf.h); the loader's context as libbpf's gen_loader.c has it: sizes and a
log, then for each map a descriptor, the number of entries and the address of its initial value, then a descriptor for
each program. Everything goes when the descriptors are closed, and so with our process, however that ends.
"""

import ctypes
import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ipctune.host.bpf import bpf
from ipctune.host.text import cpu_list
from ipctune.trace.blob import Blob, NoEbpf

__all__ = ["Cost", "Loaded", "NoEbpf", "load"]

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD, _PROG_RUN = 0, 1, 2, 3, 5, 10
_INFO_BY_FD, _RAW_TRACEPOINT_OPEN, _FREEZE, _LOOKUP_BATCH, _TAKE_BATCH, _ENABLE_STATS = 15, 17, 22, 24, 25, 32
_ARRAY, _SYSCALL_PROGRAM, _SLEEPABLE = 2, 31, 16
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_SOFTWARE, _CPU_CLOCK, _FREQUENCY, _CLOSE_ON_EXEC = 1, 0, 1 << 10, 8  # include/uapi/linux/perf_event.h
_SET_BPF, _ENABLE = 0x40042408, 0x2400
_BATCH = 256
_ATTRIBUTES = 160
_CONTEXT = struct.Struct("=IIIIQ")
_MAP = struct.Struct("=iIQ")


@dataclass(frozen=True, slots=True)
class Cost:
    """What the programs themselves took."""

    runs: int
    ns: int


@dataclass(frozen=True, slots=True)
class _Map:
    fd: int
    key: int
    value: int


@dataclass(slots=True)
class Loaded:
    """A program in the kernel. Leaving the context takes it out again."""

    maps: dict[str, _Map] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    _others: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach, unload, forget."""
        for fd in (*self._others, *self.programs.values(), *(one.fd for one in self.maps.values())):
            os.close(fd)
        self._others.clear()
        self.programs.clear()
        self.maps.clear()

    def attach(self, clocked: str = "") -> None:
        """All programs but `clocked` at the tracepoints that their sections name. Raises NoEbpf."""
        for name, fd in self.programs.items():
            if name == clocked:
                continue
            try:
                self._others.append(bpf(_RAW_TRACEPOINT_OPEN, _attributes("=QI", 0, fd)))
            except OSError as error:
                raise NoEbpf(f"{name} can't be attached: {_said(error)}", hint=_why(error)) from None

    def clock(self, name: str, times_a_second: int) -> None:
        """Run that program on every vCPU at its clock, so many times a second (perf_event_open(2)). Raises NoEbpf."""
        for cpu in _online():
            try:
                fd = _perf_event(cpu, times_a_second)
                self._others.append(fd)
                fcntl.ioctl(fd, _SET_BPF, self.programs[name])
                fcntl.ioctl(fd, _ENABLE, 0)
            except OSError as error:
                raise NoEbpf(f"vCPU {cpu} can't be looked at: {_said(error)}", hint=_why(error)) from None

    def items(self, name: str, *, take: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of a hash, many a call; `take` removes them."""
        one = self.maps[name]
        keys, values = ctypes.create_string_buffer(_BATCH * one.key), ctypes.create_string_buffer(_BATCH * one.value)
        at, cursor = 0, ctypes.create_string_buffer(max(8, one.key))
        while True:
            attributes = _attributes(
                "=QQQQIIQQ",
                at,
                ctypes.addressof(cursor),
                ctypes.addressof(keys),
                ctypes.addressof(values),
                _BATCH,
                one.fd,
                0,
                0,
            )
            ended = False
            try:
                bpf(_TAKE_BATCH if take else _LOOKUP_BATCH, attributes)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
                ended = True
            count = struct.unpack_from("=I", attributes, 32)[0]
            for i in range(count):
                yield keys.raw[i * one.key : (i + 1) * one.key], values.raw[i * one.value : (i + 1) * one.value]
            if ended:
                return
            at = ctypes.addressof(cursor)

    def get(self, name: str, key: bytes) -> bytes | None:
        """One value; None where there is none."""
        one = self.maps[name]
        kept, found = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(one.value)
        try:
            bpf(_MAP_LOOKUP, _attributes("=IIQQQ", one.fd, 0, ctypes.addressof(kept), ctypes.addressof(found), 0))
        except FileNotFoundError:
            return None
        return found.raw

    def put(self, name: str, key: bytes, value: bytes) -> None:
        """Set an entry."""
        one = self.maps[name]
        kept = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
        bpf(_MAP_UPDATE, _attributes("=IIQQQ", one.fd, 0, *(ctypes.addressof(buffer) for buffer in kept), 0))

    def remove(self, name: str, key: bytes) -> None:
        """Take an entry out; one that is not there is no error."""
        one, kept = self.maps[name], ctypes.create_string_buffer(key, len(key))
        with suppress(FileNotFoundError):
            bpf(_MAP_DELETE, _attributes("=IIQQQ", one.fd, 0, ctypes.addressof(kept), 0, 0))

    def cost(self, seconds: float) -> Cost:
        """Runs and ns of all programs together in the next so many seconds, as the kernel counts them (since 5.8)."""
        try:
            counting = bpf(_ENABLE_STATS, bytearray(_ATTRIBUTES))
        except OSError:
            return Cost(0, 0)
        try:
            before = self._counted()
            time.sleep(seconds)
            after = self._counted()
        finally:
            os.close(counting)
        return Cost(after.runs - before.runs, after.ns - before.ns)

    def _counted(self) -> Cost:
        runs = ns = 0
        for fd in self.programs.values():
            info = _info(fd)
            spent, count = struct.unpack_from("=QQ", info, 192)
            runs, ns = runs + count, ns + spent
        return Cost(runs, ns)


def load(blob: Blob, initial: Mapping[str, bytes] | None = None, entries: Mapping[str, int] | None = None) -> Loaded:
    """Have the kernel make the maps and load the programs. `initial` are other values, `entries` other sizes of maps.

    Raises NoEbpf where the kernel or our rights do not allow it.
    """
    kept = {name: ctypes.create_string_buffer(value, len(value)) for name, value in (initial or {}).items()}
    size = _CONTEXT.size + _MAP.size * len(blob.maps) + 4 * len(blob.programs)
    context = ctypes.create_string_buffer(size)
    _CONTEXT.pack_into(context, 0, size, 0, 0, 0, 0)
    for at, name in enumerate(blob.maps):
        address = ctypes.addressof(kept[name]) if name in kept else 0
        _MAP.pack_into(context, _CONTEXT.size + at * _MAP.size, 0, (entries or {}).get(name, 0), address)
    try:
        _run_loader(blob, context)
    except OSError as error:
        raise NoEbpf(f"the kernel refuses the eBPF program: {_said(error)}", hint=_why(error)) from None
    found = Loaded()
    for at, name in enumerate(blob.maps):
        fd = _MAP.unpack_from(context, _CONTEXT.size + at * _MAP.size)[0]
        _, _, key, value = struct.unpack_from("=IIII", _info(fd), 0)
        found.maps[name] = _Map(fd, key, value)
    programs = struct.unpack_from(f"={len(blob.programs)}i", context, _CONTEXT.size + _MAP.size * len(blob.maps))
    found.programs.update(zip(blob.programs, programs, strict=True))
    return found


def _run_loader(blob: Blob, context: "ctypes.Array[ctypes.c_char]") -> None:
    """Load the loader, with its data in a map of one entry, and run it once. Raises OSError."""
    data = ctypes.create_string_buffer(blob.data, len(blob.data))
    code = ctypes.create_string_buffer(blob.instructions, len(blob.instructions))
    licence, key = ctypes.create_string_buffer(b"Dual BSD/GPL"), ctypes.c_uint32(0)
    held = []
    try:
        held.append(bpf(_MAP_CREATE, _attributes("=IIII", _ARRAY, 4, len(data), 1)))
        fds = ctypes.c_int32(held[0])
        bpf(_MAP_UPDATE, _attributes("=IIQQQ", held[0], 0, ctypes.addressof(key), ctypes.addressof(data), 0))
        bpf(_FREEZE, _attributes("=I", held[0]))
        attributes = _attributes(
            "=IIQQ", _SYSCALL_PROGRAM, len(code) // 8, ctypes.addressof(code), ctypes.addressof(licence)
        )
        struct.pack_into("=I", attributes, 44, _SLEEPABLE)
        struct.pack_into("=Q", attributes, 120, ctypes.addressof(fds))
        held.append(bpf(_PROG_LOAD, attributes))
        attributes = _attributes("=I", held[1])
        struct.pack_into("=I", attributes, 40, len(context))
        struct.pack_into("=Q", attributes, 48, ctypes.addressof(context))
        bpf(_PROG_RUN, attributes)
        result = struct.unpack_from("=i", attributes, 4)[0]
        if result < 0:
            raise OSError(-result, os.strerror(-result))
    finally:
        for fd in held:
            os.close(fd)


def _info(fd: int) -> bytes:
    """struct bpf_prog_info of a program, struct bpf_map_info of a map."""
    info = ctypes.create_string_buffer(256)
    bpf(_INFO_BY_FD, _attributes("=IIQ", fd, len(info), ctypes.addressof(info)))
    return info.raw


def _attributes(layout: str, *values: int) -> bytearray:
    found = bytearray(_ATTRIBUTES)
    struct.pack_into(layout, found, 0, *values)
    return found


def _online() -> list[int]:
    return list(cpu_list(Path("/sys/devices/system/cpu/online").read_text())) or [0]


def _perf_event(cpu: int, frequency: int) -> int:
    """A descriptor that counts the clock of a vCPU, whoever runs there. Raises OSError."""
    number = _PERF_EVENT_OPEN.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, "perf_event_open")
    wanted = struct.pack("=IIQQQQQ", _SOFTWARE, 64, _CPU_CLOCK, frequency, 0, 0, _FREQUENCY)
    attributes = ctypes.create_string_buffer(wanted, 64)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.syscall(number, ctypes.byref(attributes), -1, cpu, -1, _CLOSE_ON_EXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    return fd


def _said(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _why(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return "it takes root, or CAP_BPF and CAP_PERFMON, and no lockdown or seccomp that forbids bpf(2)"
    if error.errno in (errno.EINVAL, errno.ENOSYS, errno.ENOENT, errno.ESRCH):
        return "it takes Linux 5.17 with CONFIG_DEBUG_INFO_BTF"
    return ""
