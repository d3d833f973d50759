"""The ways that copy less, and io_uring: every size, pages that are written too early, kills, and what is refused."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.native import forbid
from tests.native.core import PATTERNS, Core, children, wait_for
from tests.native.result import check_result

OVER_PIPES = ("vmsplice", "splice", "tee")
HAND_OVER = (*OVER_PIPES, "sendfile", "tcp-zerocopy")
NEW = (*HAND_OVER, "copy-file-range", "io-uring")
OPTMEM = Path("/proc/sys/net/core/optmem_max")


def place(cpus: str) -> str:
    """Both sides on one vCPU, or on two where there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    first, second = allowed[0], allowed[-1] if cpus == "across" else allowed[0]
    return f"{first},{second}"


@pytest.mark.parametrize("cpus", ["same", "across"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", NEW)
def test_sizes_on_one_vcpu_and_on_two(core: Core, mechanism: str, pattern: str, cpus: str) -> None:
    for size in (1, 63, 4096, 65536, 1 << 20):
        answer = core.run(mechanism, "--pattern", pattern, "--size", str(size), "--cpus", place(cpus))
        assert answer.status == 0, answer.data
        check_result(answer.data)
        assert (answer.data["zerocopy"] is not None) == (mechanism == "tcp-zerocopy")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", NEW)
def test_the_largest_message(core: Core, mechanism: str, pattern: str) -> None:
    answer = core.run(mechanism, "--pattern", pattern, "--size", str(16 << 20))
    assert answer.status == 0, answer.data
    check_result(answer.data)


@pytest.mark.parametrize("capacity", ["4096", "100000", "1048576"])
@pytest.mark.parametrize("size", ["64", "5000", "300000"])
@pytest.mark.parametrize("mechanism", OVER_PIPES)
def test_capacities_of_pipes(core: Core, mechanism: str, size: str, capacity: str) -> None:
    answer = core.run(mechanism, "--pattern", "stream", "--size", size, "--capacity", capacity)
    assert answer.status == 0, answer.data
    assert answer.data["capacity"] >= int(capacity)


@pytest.mark.parametrize("size", ["64", "5000", "300000"])
@pytest.mark.parametrize("mechanism", ["sendfile", "tcp-zerocopy", "io-uring"])
def test_small_buffers_of_sockets(core: Core, mechanism: str, size: str) -> None:
    answer = core.run(mechanism, "--pattern", "stream", "--size", size, "--capacity", "4096")
    assert answer.status == 0, answer.data
    assert answer.data["capacity"] < core.run(mechanism, "--size", size).data["capacity"]


@pytest.mark.parametrize("load", [("--rate", "2000"), ("--rate", "10000000")])
@pytest.mark.parametrize("mechanism", NEW)
def test_streams_at_a_rate(core: Core, mechanism: str, load: tuple[str, ...]) -> None:
    answer = core.run(mechanism, "--pattern", "stream", *load)
    assert answer.status == 0, answer.data
    check_result(answer.data)


def fewer(core: Core, mechanism: str, buffers: int, *words: str) -> tuple[int, str]:
    """Exit status and failed call of a stream whose sender has so many buffers."""
    words = ("--pattern", "stream", "--cpus", place("same"), *words)
    answer = core.run(mechanism, *words, seconds=1, IPCTUNE_TEST_MECHANISMS="1", IPCTUNE_TEST_LENT=str(buffers))
    return answer.status, answer.data.get("error", {}).get("call", "")


@pytest.mark.parametrize("size", ["8", "4096"])
@pytest.mark.parametrize("mechanism", [*OVER_PIPES, "sendfile"])
def test_a_page_that_is_written_before_it_was_read_is_caught(core: Core, mechanism: str, size: str) -> None:
    assert fewer(core, mechanism, 1, "--size", size) == (70, "check")
    assert core.processes() == []


def test_a_page_that_is_written_before_its_report_is_caught(core: Core) -> None:
    # what does not fit the receiver's buffer waits uncopied in the sender's
    assert fewer(core, "tcp-zerocopy", 1, "--size", "4096", "--capacity", "8192") == (70, "check")


@pytest.mark.parametrize("mechanism", OVER_PIPES)
def test_one_buffer_more_than_the_pipe_holds_is_just_enough(core: Core, mechanism: str) -> None:
    page = os.sysconf("SC_PAGESIZE")
    words = ("--size", str(page), "--capacity", str(16 * page))
    assert fewer(core, mechanism, 16, *words) == (70, "check")
    assert fewer(core, mechanism, 17, *words) == (0, "")


def test_nobody_gets_too_few_buffers_by_chance(core: Core) -> None:
    assert core.run("vmsplice", "--pattern", "stream", IPCTUNE_TEST_LENT="1").status == 0


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("size", ["64", "1048576"])
@pytest.mark.parametrize("mechanism", NEW)
def test_a_side_of_a_stream_is_killed(core: Core, mechanism: str, size: str, victim: int) -> None:
    process = core.start(mechanism, "--pattern", "stream", "--size", size)
    assert wait_for(lambda: len(children(core, process.pid)) == 2)
    os.kill(children(core, process.pid)[victim], signal.SIGKILL)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 70
    assert "signal 9" in json.loads(out)["error"]["message"]
    assert wait_for(lambda: core.processes() == [])


def test_one_io_uring_enter_sends_and_one_receives(core: Core) -> None:
    data = core.run("io-uring").data
    assert data["sides"][0]["syscalls"] == 2 * data["messages"]


def test_reports_of_zerocopy_are_counted(core: Core) -> None:
    data = core.run("tcp-zerocopy", seconds=0.05).data
    told = data["zerocopy"]
    assert 0 <= told["copied"] <= told["completions"]
    assert 0 < told["completions"] <= 2 * data["messages"] + 2 * 64


CALLS = [(name, name) for name in (*OVER_PIPES, "sendfile")]
CALLS += [
    ("copy-file-range", "copy_file_range"),
    ("io-uring", "io_uring_setup"),
    ("tee", "vmsplice"),
    ("tee", "splice"),
]


@pytest.mark.parametrize("name", ["EPERM", "ENOSYS"])
@pytest.mark.parametrize(("mechanism", "call"), CALLS)
def test_a_call_that_is_forbidden_is_a_refusal(core: Core, mechanism: str, call: str, name: str) -> None:
    prefix = (sys.executable, "-P", str(Path(forbid.__file__)), call, str(getattr(errno, name)))
    answer = core.call("run", "--mechanism", mechanism, "--seconds", "0.01", prefix=prefix)
    assert answer.status == 3, answer.data
    assert (answer.error["call"], answer.error["name"]) == (call, name)
    assert core.processes() == []


def in_network(optmem: int) -> tuple[str, ...]:
    """A network namespace with that limit, which ends with the command."""
    script = f'ip link set lo up && echo {optmem} >{OPTMEM} && exec "$@"'
    return ("unshare", "-n", "sh", "-c", script, "sh")


@pytest.mark.parametrize(("optmem", "status"), [(1, 3), (3000, 0)])
def test_memory_for_reports_is_limited(core: Core, optmem: int, status: int) -> None:
    if subprocess.run(["unshare", "-n", "test", "-w", str(OPTMEM)], check=False).returncode:
        pytest.skip("this kernel has one limit for all network namespaces")
    before = OPTMEM.read_text(encoding="ascii")
    words = ("run", "--mechanism", "tcp-zerocopy", "--pattern", "stream", "--seconds", "0.05")
    answer = core.call(*words, prefix=in_network(optmem))
    assert answer.status == status, answer.data
    if status:
        assert (answer.error["name"], answer.error["limit"]) == ("ENOBUFS", "net.core.optmem_max")
    assert OPTMEM.read_text(encoding="ascii") == before
