"""What /proc alone tells of calls and waiting, from a tree of files."""

import time
from pathlib import Path

import pytest

from ipctune.errors import NotPossible
from ipctune.report.trace import render_flows, render_latencies, render_locks, render_wakeups
from ipctune.trace.calls import chosen, number_of
from ipctune.trace.sampled import (
    Delays,
    Sampled,
    SampledLocks,
    Totals,
    between_delays,
    between_locks,
    between_samples,
    between_totals,
)
from ipctune.trace.whom import Whom

READ, FUTEX = (number_of(chosen([name])[0]) for name in ("read", "futex"))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, comm, call in ((10, "sleeper", f"{READ} 0x3 0x7f"), (11, "runner", "running"), (12, "odd", "-1 0x7ffc")):
        task = tmp_path / str(pid) / "task" / str(pid)
        task.mkdir(parents=True)
        for where in (tmp_path / str(pid), task):
            (where / "comm").write_text(f"{comm}\n")
        (task / "syscall").write_text(f"{call}\n")
        (task / "schedstat").write_text("500 1000 7\n")
    (tmp_path / "13" / "task").mkdir(parents=True)  # it has just ended
    return tmp_path


def test_who_sleeps_in_a_call_is_seen_for_the_time_that_it_does(proc: Path) -> None:
    with Sampled(Whom(), chosen(()), proc) as at:
        before = at.read()
        time.sleep(0.3)
        found = between_samples(before, at.read(), "no BTF")
    (row,) = found.calls
    assert (row.pid, row.comm, row.call, row.count) == (10, "sleeper", "read", 0)
    assert 0 < row.ns <= found.seconds * 1e9
    text = render_latencies(found)
    assert "missing: eBPF (no BTF)" in text
    assert max(map(len, text.splitlines())) <= 80


def test_turns_and_waits_grow(proc: Path) -> None:
    at = Delays(Whom(pids=(11,)), proc)
    before = at.read()
    (proc / "11" / "task" / "11" / "schedstat").write_text("500 9000 9\n")
    found = between_delays(before, at.read(), "EPERM")
    (one,) = found.processes
    assert (one.pid, one.run_queue.count, one.run_queue.ns) == (11, 2, 8000)
    assert "4.00us" in render_wakeups(found)


@pytest.mark.parametrize("text", ["", "1 2", "a b c", "1 2 3 4"])
def test_a_damaged_schedstat_counts_nothing(proc: Path, text: str) -> None:
    (proc / "11" / "task" / "11" / "schedstat").write_text(text)
    assert Delays(Whom(pids=(11,)), proc).read().waits == {}


def test_nobody_is_said_at_once(proc: Path) -> None:
    with pytest.raises(NotPossible, match="99"):
        Sampled(Whom(pids=(99,)), chosen(()), proc).__enter__()


def test_a_process_that_has_gone_ends_it(proc: Path) -> None:
    at = Delays(Whom(pids=(13,)), proc)
    assert at.follow()
    (proc / "13" / "task").rmdir()
    (proc / "13").rmdir()
    assert not at.follow()


def test_who_sleeps_for_a_lock_is_seen_with_its_address(proc: Path) -> None:
    (proc / "11" / "task" / "11" / "syscall").write_text(f"{FUTEX} 0x7f001000 0x80 0x2\n")
    (proc / "12" / "task" / "12" / "syscall").write_text(f"{FUTEX} not-a-number\n")
    with SampledLocks(Whom(), proc) as at:
        before = at.read()
        time.sleep(0.3)
        found = between_locks(before, at.read(), "no BTF")
    (lock,) = found.locks
    assert (lock.pid, lock.address, lock.most_waiting, lock.name) == (11, 0x7F001000, 1, "0x7f001000")
    assert "runner 11" in render_locks(found)


def test_what_a_process_read_and_wrote_in_all(proc: Path) -> None:
    io = proc / "10" / "io"
    io.write_text("rchar: 100\nwchar: 200\nsyscr: 1\nsyscw: 2\nread_bytes: 0\n")
    at = Totals(Whom(pids=(10,)), proc)
    before = at.read()
    io.write_text("rchar: 100\nwchar: 5200\nsyscr: 1\nsyscw: 12\nread_bytes: 0\n")
    found = between_totals(before, at.read(), "EPERM")
    (flow,) = found.flows
    assert [(end.sends, end.messages, end.bytes) for end in flow.ends] == [(True, 10, 5000)]
    assert "> sleeper 10" in render_flows(found)
