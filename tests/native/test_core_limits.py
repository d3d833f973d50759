"""`limits`: each has a figure or null; it ends in bounded time, whoever is stopped or killed, and leaves nothing."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.native.core import Answer, Core, children, wait_for
from tests.native.test_core_left_behind import end

CPUS = sorted(os.sched_getaffinity(0))
SIZES = [64 * 4**n for n in range(10)]
ALONE = ("syscall_ns", "clock_ns", "context_switch_ns", "page_fault_ns", "memfd_fault_ns")
ACROSS = ("cache_line_ns", "wake_ns")
NOBODY = 65534


def check(data: dict[str, Any], sizes: list[int]) -> None:
    """All keys are there, and what takes two vCPUs has a figure where there are two."""
    assert set(data) == {"cpus", "memcpy", *ALONE, *ACROSS}
    assert all(data[name] > 0 for name in ALONE)
    assert [size for size, _ in data["memcpy"]] == sizes
    assert all(ns > 0 for _, ns in data["memcpy"])
    first, second = data["cpus"]
    if first == second:
        assert [data[name] for name in ACROSS] == [None, None]
    else:
        assert data["cache_line_ns"] > 0
        assert [idle for idle, _ in data["wake_ns"]] == [1_000_000, 10_000_000]
        assert all(ns >= 0 for _, ns in data["wake_ns"])


def test_every_limit_has_a_figure(core: Core) -> None:
    found = core.call("limits").data
    assert found["cpus"] == [CPUS[0], CPUS[1] if len(CPUS) > 1 else CPUS[0]]
    check(found, SIZES)
    assert core.processes() == []


def test_sizes_and_vcpus_are_those_asked_for(core: Core) -> None:
    last = CPUS[-1]
    found = core.call("limits", "--sizes", "1,16777216,100,1", "--cpus", f"{last},{CPUS[0]}").data
    assert found["cpus"] == [last, CPUS[0]]
    check(found, [1, 16_777_216, 100, 1])


def test_what_takes_two_vcpus_is_null_on_one(core: Core) -> None:
    pinned = core.call("limits", "--sizes", "64", prefix=("taskset", "-c", str(CPUS[-1]))).data
    assert pinned["cpus"] == [CPUS[-1]] * 2
    check(pinned, [64])
    check(core.call("limits", "--sizes", "64", "--cpus", f"{CPUS[0]},{CPUS[0]}").data, [64])


@pytest.mark.parametrize(
    "words",
    [
        ("--sizes",),
        ("--sizes", ""),
        ("--sizes", "0"),
        ("--sizes", "64,"),
        ("--sizes", ",64"),
        ("--sizes", "64,,64"),
        ("--sizes", "64, 64"),
        ("--sizes", "4K"),
        ("--sizes", "16777217"),
        ("--sizes", ",".join(["64"] * 65)),
        ("--sizes", "6" * 2000),
        ("--cpus", "-1,-1"),
        ("--cpus", f"{CPUS[0]},-1"),
        ("--cpus", f"{CPUS[0]}"),
        ("--cpus", f"{CPUS[0]},1023"),
        ("--cpus", ""),
        ("--mechanism", "pipe"),
        ("more",),
    ],
)
def test_words_that_make_no_sense_are_wrong_use(core: Core, words: tuple[str, ...]) -> None:
    answer = core.call("limits", *words)
    assert answer.status == 2
    assert answer.error["message"]


def test_as_many_sizes_as_there_may_be(core: Core) -> None:
    found = core.call("limits", "--sizes", ",".join(["64"] * 64)).data
    assert len(found["memcpy"]) == 64


@pytest.fixture
def anybodys(binary: Path) -> Iterator[Core]:
    """The core where anybody may run it."""
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Core(Path(shutil.copy2(binary, Path(name) / "ipctune-core")))


def test_it_takes_no_root(anybodys: Core) -> None:
    ids = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--bounding-set", "-all")
    prefix = ("setpriv", *ids) if os.geteuid() == 0 else ()
    check(anybodys.call("limits", prefix=prefix).data, SIZES)


def test_too_few_descriptors_are_a_refusal(core: Core) -> None:
    quiet = "detect_leaks=0:exitcode=99"  # that takes descriptors of its own, in a build that has it
    answer = core.call("limits", prefix=("prlimit", "--nofile=4:4"), ASAN_OPTIONS=quiet)
    assert answer.status == 3
    assert answer.error["limit"] == "RLIMIT_NOFILE"
    assert core.processes() == []


def test_a_parent_that_ignores_its_children_changes_nothing(core: Core) -> None:
    ignoring = ("sh", "-c", 'trap "" CHLD; exec "$@"', "sh")
    check(core.call("limits", "--sizes", "64", prefix=ignoring).data, [64])


def start(core: Core) -> subprocess.Popen[bytes]:
    """Measuring, so far that two sides are there; with much to copy, so that something is still to come."""
    process = subprocess.Popen(
        [core.path, "limits", "--sizes", ",".join(["16777216"] * 16)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert wait_for(lambda: len(children(core, process.pid)) == 2)
    return process


def signalled(core: Core, number: signal.Signals, expected: int) -> Answer | None:
    """The answer after one side got the signal; None where it had ended by itself just then."""
    import json

    process = start(core)
    try:
        os.kill(children(core, process.pid)[0], number)
    except (IndexError, ProcessLookupError):
        process.kill()
    out, _ = process.communicate(timeout=20)
    return Answer(process.returncode, json.loads(out)) if process.returncode == expected else None


def test_a_side_that_is_killed_is_told(core: Core) -> None:
    answer = next(filter(None, (signalled(core, signal.SIGKILL, 70) for _ in range(20))))
    assert "signal 9" in answer.error["message"]
    assert answer.error["call"] in ("context switch", "cache line", "wake")
    assert wait_for(lambda: core.processes() == [])


def test_a_side_that_stands_still_is_given_up(core: Core) -> None:
    answers = (signalled(core, signal.SIGSTOP, 0) for _ in range(20))
    given_up = next(one for one in answers if one and None in one.data.values())
    assert given_up.data["memcpy"]
    assert wait_for(lambda: core.processes() == [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_it(core: Core, number: signal.Signals) -> None:
    process = start(core)
    process.send_signal(number)
    assert end(process) == -number
    assert wait_for(lambda: core.processes() == [])
