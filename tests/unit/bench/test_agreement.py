"""What perf bench, hackbench and the bare loops print is read right, or refused; a row says what it is a row of."""

import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.agreement import Agreement, Missing, compare, line, main, parse, tried
from benchmarks.agreement_programs import said
from benchmarks.agreement_rows import GROUPS, Arm, Block, Row, counted, rows
from benchmarks.agreement_said import Unreadable, hackbench_ns, loops_ns, perf_messaging_ns, perf_pipe_ns

from ipctune.errors import NotPossible

PERF_PIPE = """# Running 'sched/pipe' benchmark:
# Executed 2000 pipe operations between two processes

     Total time: 0.023 [sec]

      11.587500 usecs/op
          86299 ops/sec
"""
PERF_MESSAGING = """# Running 'sched/messaging' benchmark:
# 20 sender and receiver processes per group
# 1 groups == 40 processes run

     Total time: 0.040 [sec]
"""
HACKBENCH = """Running in process mode with 1 groups using 2 file descriptors each (== 2 tasks)
Each sender will pass 1000 messages of 100 bytes
Time: 1.207
"""
READERS = (perf_pipe_ns, perf_messaging_ns, hackbench_ns, loops_ns)


def test_each_program_is_read_in_nanoseconds() -> None:
    assert perf_pipe_ns(PERF_PIPE) == pytest.approx(11587.5)
    assert perf_messaging_ns(PERF_MESSAGING) == pytest.approx(0.040e9)
    assert hackbench_ns(HACKBENCH) == pytest.approx(1.207e9)
    assert loops_ns('{"ns": 4195.0, "switch_ns": 1602.8}') == 4195.0


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"ns": "x"}', '{"ns": 0}', '{"ns": NaN}', "Segmentation fault"]
)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_what_is_something_else_is_refused(reader: Callable[[str], float], text: str) -> None:
    with pytest.raises(Unreadable):
        reader(text)


def test_a_figure_cut_in_its_midst_is_refused() -> None:
    cut = (PERF_PIPE.replace(" usecs/op", " usec"), PERF_MESSAGING.replace(" [sec]", ""), "Time: 1.2x", '{"ns": 41')
    for reader, text in zip(READERS, cut, strict=True):
        with pytest.raises(Unreadable):
            reader(text)


def test_a_run_of_too_few_is_told_more_until_its_clock_can_tell() -> None:
    asked: list[int] = []

    def measure(count: int) -> float:
        asked.append(count)
        return count * 1000 // 1_000_000 * 1e6 / count  # whole milliseconds, as hackbench prints them

    block = counted(measure, 100)(0.2)
    assert block() == pytest.approx(1000, rel=0.01)
    assert asked[0] == 100
    assert asked[-1] == pytest.approx(200_000, rel=0.1)


def fixed(value: float) -> Arm:
    def ready(_seconds: float) -> Block:
        return lambda: value

    return ready


def test_the_ratio_is_ours_over_theirs() -> None:
    options = parse(["--pairs", "8", "--rest", "0"])
    found = compare(Row("perf", "across", "b", "a", fixed(200.0), fixed(100.0)), options, random.Random(1))
    assert (found.theirs_ns, found.ours_ns, found.pairs) == (200.0, 100.0, 8)
    assert found.ratio == pytest.approx(0.5)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.ratio <= found.high


def test_a_program_that_is_not_there_is_a_row_with_its_package() -> None:
    def ready(_seconds: float) -> Block:
        raise NotPossible("no hackbench", hint="package rt-tests")

    options = parse(["--pairs", "2", "--rest", "0"])
    found = tried(Row("hackbench", "across", "hackbench", "pipe", ready, fixed(1.0)), options, random.Random(1))
    assert isinstance(found, Missing)
    assert "package rt-tests" in line(found)


def test_a_figure_of_nil_is_a_row_without_a_ratio() -> None:
    options = parse(["--pairs", "2", "--rest", "0"])
    found = tried(Row("perf", "across", "b", "a", fixed(math.nan), fixed(1.0)), options, random.Random(1))
    assert isinstance(found, Missing)


def test_a_row_without_an_interval_says_so() -> None:
    shown = line(Agreement("perf", "across", "b", "a", 2, 4200.0, 45123.0, 10.743, None, None, 0.25))
    assert shown == "| b | a | across | 4.20 | 45.1 | 10.743 (? … ?) | 0.25 |"


def test_every_group_has_rows_and_each_place_the_same_ones() -> None:
    found = list(rows(Path("nowhere"), {"one vCPU": (0, 0), "across": (0, 1)}))
    assert {row.group for row in found} == set(GROUPS)
    placed = [row for row in found if row.group != "messaging"]
    names = [[(row.theirs, row.ours) for row in placed if row.where == where] for where in ("one vCPU", "across")]
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0])


@pytest.mark.parametrize("words", [["--pairs", "0"], ["--seconds", "0"], ["--rest", "-1"], ["--only", "all"]])
def test_strange_words_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2


def test_without_the_core_it_is_not_possible_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IPCTUNE_CORE", "/nonexistent/core")
    assert main(["--pairs", "1", "--json"]) == 3
    assert "core" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["false"], ["/nonexistent/program"]])
def test_a_program_that_fails_is_not_possible(command: list[str]) -> None:
    with pytest.raises(NotPossible):
        said(command)


def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.agreement_programs.LIMIT_S", 0.3)
    pids = tmp_path / "pids"
    with pytest.raises(NotPossible, match="longer than"):
        said(["sh", "-c", f"sleep 1000 & echo $! > {pids}; wait"])
    for _ in range(100):  # a killed orphan is reaped by whoever has it now
        if not _lives(int(pids.read_text())):
            return
        time.sleep(0.05)
    raise AssertionError("the program's child goes on")


def _lives(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_program_starts_first_is_moved() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("one vCPU")
    script = "(sleep 0.3; grep Cpus_allowed_list /proc/self/status) & wait"
    moved = said(["sh", "-c", script], (allowed[0], allowed[1]))
    assert moved.split()[-1] == str(allowed[1])
