"""The screens of `ipctune trace`: within 80 columns, with what was lost and what it cost."""

from ipctune.report.trace import render_latencies, render_wakeups
from ipctune.trace.model import Called, Latencies, Own, Waits, Wakeups, WokenProcess, WokenVcpu

OWN = Own(program_runs=2000, program_ns=400_000, cpu_ns=30_000_000, resident_bytes=24 << 20)
CALL = Called(
    pid=4_194_304,
    comm="a-long-name-of-",
    call="mq_timedreceive",
    count=123_456,
    ns=2_000_000_000,
    asleep_ns=1_900_000_000,
    most_ns=30_000_000,
    p50_ns=4_210.0,
    p99_ns=1_234_567.0,
    errors={"EAGAIN": 3, "ENOSPC": 20},
)
WAITS = Waits(count=1000, ns=50_000_000, most_ns=900_000, p50_ns=45_000.0, p99_ns=110_000.0)
NONE = Waits(0, 0, 0, None, None)


def test_calls_are_told_with_their_errors_and_the_cost() -> None:
    text = render_latencies(Latencies(10.0, (CALL,) * 20, lost=7, own=OWN), rows=5)
    assert text.count("mq_timedreceive") == 5
    assert "and 15 more" in text
    assert "ENOSPC 20 EAGAIN 3" in text
    assert "95 %" in text
    assert "lost: 7 calls" in text
    assert "24 MiB" in text
    assert max(map(len, text.splitlines())) <= 100


def test_nothing_counted_is_a_screen_as_well() -> None:
    text = render_latencies(Latencies(1.0, (), 0, OWN, missing=("schedstat",)))
    assert "0 in 1.0 s" in text
    assert "missing: schedstat" in text


def test_wake_ups_by_process_and_vcpu() -> None:
    found = Wakeups(
        2.0, (WokenProcess(77, "redis-server", 500, WAITS, NONE),), (WokenVcpu(1, 500, WAITS, WAITS),), 0, OWN
    )
    lines = render_wakeups(found).splitlines()
    assert "wake-ups: 2,000 in 2.0 s" in lines[0]
    row = next(line for line in lines if line.startswith("redis-server 77"))
    assert row.split()[2:] == ["500", "50", "%", "45.0us", "110us", "-", "-"]
    assert max(map(len, lines)) <= 100
