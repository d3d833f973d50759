"""Queues live in an IPC namespace of their own, whose limits are those of the present one."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.native.core import MECHANISMS, Core, sysv_queues, wait_for
from tests.native.result import check_result

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
"""A user without privileges."""


@pytest.fixture
def public(binary: Path) -> Iterator[Core]:
    """A copy where another user can execute it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Core(Path(shutil.copy2(binary, Path(folder) / "ipctune-core")))


def test_private_is_the_default_and_the_host_sees_no_queue(core: Core) -> None:
    before = sysv_queues()
    process = core.start("sysv-msg")
    try:
        assert wait_for(lambda: len(core.processes()) == 3)
        assert wait_for(lambda: sysv_queues() <= before)
    finally:
        process.kill()
        process.communicate()
    assert core.run("sysv-msg").data["ipc_namespace"] == "private"
    assert core.run("sysv-msg", "--ipc-namespace", "present").data["ipc_namespace"] == "present"


def test_present_limits_are_copied(core: Core) -> None:
    inside = 'echo 6000 >/proc/sys/kernel/msgmax; echo 5000 >/proc/sys/kernel/msgmnb; exec "$@"'
    prefix = ("unshare", "-i", "sh", "-c", inside, "sh")
    words = ("run", "--mechanism", "sysv-msg", "--seconds", "0.01", "--ipc-namespace", "private")
    assert core.call(*words, "--size", "64", prefix=prefix).data["capacity"] == 5000
    assert core.call(*words, "--size", "6001", prefix=prefix).error["limit"] == "kernel.msgmax"


def test_a_sysctl_reaches_the_private_namespace_alone(core: Core) -> None:
    path = Path("/proc/sys/kernel/msgmnb")
    before = path.read_text(encoding="ascii")
    assert core.run("sysv-msg", "--sysctl", "kernel.msgmnb=123456").data["capacity"] == 123456
    assert path.read_text(encoding="ascii") == before
    semaphores = "kernel.sem=250 \t 32000  100 128"
    assert core.run("pipe", "--sysctl", semaphores, "--sysctl", "kernel.shmmni=100").status == 0


def test_a_value_that_the_kernel_refuses(core: Core) -> None:
    answer = core.run("pipe", "--sysctl", "kernel.msgmax=-5")
    assert (answer.status, answer.error["limit"]) == (3, "kernel.msgmax")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_without_privileges(public: Core, mechanism: str) -> None:
    answer = public.call("run", "--mechanism", mechanism, "--seconds", "0.01", prefix=NOBODY)
    assert answer.status == 0, answer.data
    check_result(answer.data)


def test_a_namespace_of_ones_own_lifts_no_limit(public: Core) -> None:
    words = ("run", "--mechanism", "sysv-msg", "--seconds", "0.01", "--capacity", "1000000")
    answer = public.call(*words, prefix=NOBODY)
    assert (answer.status, answer.error["limit"]) == (3, "kernel.msgmnb")


def test_without_privileges_a_pipe_has_a_largest_size(public: Core) -> None:
    words = ("run", "--mechanism", "pipe", "--seconds", "0.01", "--capacity", "1000000000")
    answer = public.call(*words, prefix=NOBODY)
    assert (answer.status, answer.error["limit"]) == (3, "fs.pipe-max-size")


def test_bytes_of_posix_queues_are_limited(public: Core) -> None:
    words = ("run", "--mechanism", "posix-mq", "--seconds", "0.01", "--size", "4096")
    answer = public.call(*words, prefix=("prlimit", "--msgqueue=20000", *NOBODY))
    assert (answer.status, answer.error["limit"]) == (3, "RLIMIT_MSGQUEUE")


def test_without_privileges_no_real_time(public: Core) -> None:
    answer = public.call("run", "--mechanism", "pipe", "--seconds", "0.01", "--policy", "fifo", prefix=NOBODY)
    assert (answer.status, answer.error["limit"]) == (3, "RLIMIT_RTPRIO")
    assert answer.error["name"] == "EPERM"


def test_where_no_namespace_can_be_had(core: Core) -> None:
    # the count of IPC namespaces is per user namespace, so this takes them away from the test alone
    prefix = ("unshare", "-U", "-r", "sh", "-c", 'echo 0 >/proc/sys/user/max_ipc_namespaces; exec "$@"', "sh")
    words = ("run", "--mechanism", "sysv-msg", "--seconds", "0.01")
    assert core.call(*words, prefix=prefix).data["ipc_namespace"] == "present"
    assert core.call(*words, "--ipc-namespace", "private", prefix=prefix).status == 3
    assert core.call(*words, "--sysctl", "kernel.msgmax=1", prefix=prefix).status == 3


def test_pages_that_are_pinned_are_limited(public: Core) -> None:
    words = ("run", "--mechanism", "tcp-zerocopy", "--seconds", "0.01", "--size", "1048576")
    answer = public.call(*words, prefix=("prlimit", "--memlock=65536", *NOBODY))
    assert (answer.status, answer.error["limit"]) == (3, "RLIMIT_MEMLOCK")
