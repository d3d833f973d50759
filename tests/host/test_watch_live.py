"""Each cause is made for real, small, and named by `inspect --watch`; and none on a machine that is left alone.

Other work on this machine may be larger than what a test makes, so each looks up to three times.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ipctune.errors import Exit
from ipctune.host.core import find_core

TOP = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TOP / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
WATCH = [sys.executable, "-m", "ipctune.cli.plain", "inspect", "--watch", "1"]
MEMORY = Path("/sys/fs/cgroup/memory")
MIB = 1 << 20


@contextmanager
def running(work: Callable[[], object]) -> Iterator[int]:
    """A process that does `work` over and over for as long as the context lasts."""
    pid = os.fork()
    if not pid:
        with suppress(BaseException):
            while True:
                work()
        os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def watched() -> dict[str, Any]:
    """What one look of a second says."""
    done = subprocess.run([*WATCH, "--json"], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == Exit.DONE, done.stderr
    found = json.loads(done.stdout)["watch"]
    assert isinstance(found, dict)
    return found


def named(cause: str) -> bool:
    """Whether one of three looks names that cause."""
    return any(watched()["cause"] == cause for _ in range(3))


def test_two_hogs_on_one_vcpu() -> None:
    cpu = max(os.sched_getaffinity(0))

    def compute() -> None:
        os.sched_setaffinity(0, {cpu})
        while True:
            pass

    with running(compute), running(compute):
        found = watched()
    assert found["cause"] in ("full-vcpu", "run-queue")
    assert found["stops"]
    assert found["rates"]["run_wait_ms"] > 100


@contextmanager
def storm() -> Iterator[None]:
    """A file on a disk, and somebody who writes a page of it and waits for the disk, over and over."""
    with tempfile.NamedTemporaryFile(dir=TOP) as file:

        def write() -> None:
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fsync(file.fileno())

        with running(write), running(write):
            yield


def test_a_storm_of_fsync() -> None:
    with storm():
        assert named("disk")


@contextmanager
def swap_file() -> Iterator[None]:
    """64 MiB of swap in a file of our own."""
    with tempfile.NamedTemporaryFile(dir=TOP) as file:
        os.posix_fallocate(file.fileno(), 0, 64 * MIB)
        os.fchmod(file.fileno(), 0o600)
        subprocess.run(["mkswap", file.name], check=True, capture_output=True)
        subprocess.run(["swapon", file.name], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["swapoff", file.name], check=True, capture_output=True)


@contextmanager
def group_of(limit: int) -> Iterator[Path]:
    """A memory group of our own with that many bytes; what is left in it has ended."""
    group = MEMORY / f"ipctune-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit))
        yield group
    finally:
        end = time.monotonic() + 10
        while (group / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.01)
        group.rmdir()


@pytest.mark.skipif(not (MEMORY / "memory.limit_in_bytes").exists(), reason="no memory controller in a v1 hierarchy")
def test_a_group_that_is_too_small_swaps() -> None:
    with ExitStack() as stack:
        stack.enter_context(swap_file())
        group = stack.enter_context(group_of(16 * MIB))
        held: list[bytearray] = []

        def touch() -> None:
            if not held:
                (group / "cgroup.procs").write_text(str(os.getpid()))
                held.append(bytearray(40 * MIB))
            for at in range(0, 40 * MIB, 4096):
                held[0][at] = 1

        stack.enter_context(running(touch))
        time.sleep(0.3)
        assert named("swap")


@contextmanager
def pair(cpus: str, *more: str) -> Iterator[None]:
    """The measuring core at work, as a program of its own."""
    core = find_core()
    assert core is not None
    process = subprocess.Popen(
        [core, "run", "--mechanism", "pipe", "--cpus", cpus, "--seconds", "30", *more], stdout=subprocess.DEVNULL
    )
    try:
        time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def test_programs_that_talk_across_vcpus() -> None:
    first, second, *_ = sorted(os.sched_getaffinity(0))
    with pair(f"{first},{second}", "--rate", "2000"):
        found = next((look for look in (watched() for _ in range(3)) if look["cause"] == "ipc"), None)
    assert found is not None
    assert found["rates"]["wakes"] > 1000
    assert found["ceiling"]["waiting_ms"] > 10
    assert "ipctune-core" in {program["name"] for program in found["rates"]["programs"]}


def test_talk_inside_one_vcpu_wakes_nobody_from_sleep() -> None:
    cpu = max(os.sched_getaffinity(0))
    with pair(f"{cpu},{cpu}", "--rate", "2000"):
        assert any(watched()["rates"]["wakes"] < 1000 for _ in range(3))


def test_left_alone_the_machine_is_idle_or_has_little_to_gain() -> None:
    assert any(watched()["cause"] in ("idle", "none") for _ in range(3))


def test_the_screen_and_its_end_by_ctrl_c() -> None:
    process = subprocess.Popen(
        [*WATCH[:-1], "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in err
    assert "IS IT IPC?" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_recorded_machine_has_no_second_moment(tmp_path: Path) -> None:
    done = subprocess.run(
        [*WATCH, "--root", str(tmp_path)], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == Exit.WRONG_USE
    assert "second moment" in done.stderr
