"""The tax on system calls, made for real: a program at sys_enter, a process under a filter, the audit asked."""

import ctypes
import os
import platform
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ipctune.host import read_host
from ipctune.host.audit import audit_status
from ipctune.host.bpf import bpf, loaded_programs
from ipctune.host.findings_tax import at_system_calls, tax_findings

_LOAD, _OPEN_TRACEPOINT = 5, 17
_RAW_TRACEPOINT = 17
_RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
_NAME = b"ipct_test"


@contextmanager
def watched() -> Iterator[None]:
    """A program that does nothing, at every system call of the machine, until the descriptors close."""
    code, licence = ctypes.create_string_buffer(_RETURN_0), ctypes.create_string_buffer(b"GPL")
    head = struct.pack("=IIQQ", _RAW_TRACEPOINT, 2, ctypes.addressof(code), ctypes.addressof(licence))
    program = bpf(_LOAD, bytearray(head + struct.pack("=IIQII16s", 0, 0, 0, 0, 0, _NAME)))
    name = ctypes.create_string_buffer(b"sys_enter")
    link = bpf(_OPEN_TRACEPOINT, bytearray(struct.pack("=QII", ctypes.addressof(name), program, 0)))
    try:
        yield
    finally:
        os.close(link)
        os.close(program)


def test_a_program_at_every_system_call_is_found_with_its_holder() -> None:
    with watched():
        host = read_host(quick=True)
    (found,) = (one for one in host.tax.programs if one.name == _NAME.decode())
    assert host.tax.programs_complete
    assert (found.type, found.at) == ("raw_tracepoint", "sys_enter")
    assert f"(pid {os.getpid()})" in found.holder
    assert at_system_calls(found)
    (finding,) = tax_findings(host)
    assert f"(pid {os.getpid()})" in finding.what
    end = time.monotonic() + 10  # the kernel frees it a grace period after the last descriptor is closed
    while any(one.get("name") == _NAME.decode() for one in loaded_programs()) and time.monotonic() < end:
        time.sleep(0.05)
    assert _NAME.decode() not in [one.get("name") for one in loaded_programs()]


def test_the_audit_says_whether_it_is_on() -> None:
    """In a container the kernel refuses; then it is unknown, and that is no error."""
    try:
        status = audit_status()
    except OSError:
        assert read_host(quick=True).tax.audit is None
    else:
        audit = read_host(quick=True).tax.audit
        assert audit is not None
        assert audit.enabled == (status["enabled"] != 0)
        assert audit.rules == status["rules"]


def _filter_myself() -> None:
    """A filter that allows everything (seccomp(2), SECCOMP_SET_MODE_FILTER by prctl(2))."""
    allow = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)  # BPF_RET | BPF_K, SECCOMP_RET_ALLOW
    code = ctypes.create_string_buffer(allow)
    program = ctypes.create_string_buffer(struct.pack("@HP", 1, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(15, b"ipct-filtered", 0, 0, 0)  # PR_SET_NAME
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def test_a_process_under_a_filter_is_named() -> None:
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _filter_myself()
            os.write(tell, b"x")
            signal.pause()  # until we are killed; reading the pipe it could take its own word from it
        finally:
            os._exit(1)
    try:
        assert os.read(ready, 1) == b"x"
        assert read_host(quick=True).tax.filtered["ipct-filtered"] >= 1
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(tell)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_bpf_has_a_number_on_the_machines_we_know(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipctune.host import bpf

    assert bpf._NUMBERS[machine] in (280, 321)
    if platform.machine() == machine:
        loaded_programs()
    monkeypatch.setattr(bpf, "_NUMBERS", {})
    with pytest.raises(OSError, match="no number"):
        loaded_programs()
