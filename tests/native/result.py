"""What every result of `run` has to hold."""

import itertools
from typing import Any

TOP = {
    *("mechanism", "pattern", "size", "cpus", "rate", "gap_ns", "work_ns", "seed", "capacity", "ipc_namespace"),
    *("wait", "write_size", "batch", "noerror"),
    *("seconds", "messages", "bytes", "latency", "sides", "machine"),
}
LATENCY = {"kind", "count", "min", "p50", "p90", "p99", "p999", "max", "mean", "buckets"}
SIDE = {
    *("role", "cpu_ns", "voluntary_switches", "involuntary_switches", "minor_faults", "major_faults"),
    *("syscalls", "blocked", "run_delay_ns"),
}
MACHINE = {"seconds", "steal_ns", "busy_ns", "foreign_ns", "poll_ns"}


def check_result(data: dict[str, Any]) -> None:
    """All keys are there, and what has to add up does."""
    assert set(data) == TOP
    assert set(data["machine"]) == MACHINE
    assert [set(side) for side in data["sides"]] == [SIDE, SIDE]
    assert data["messages"] >= 1
    assert data["bytes"] == data["messages"] * data["size"]
    assert 0 < data["seconds"] <= data["machine"]["seconds"]
    for side in data["sides"]:
        assert side["cpu_ns"] >= 0
        assert side["syscalls"] >= 0
    if data["latency"] is not None:
        check_latency(data["latency"], data["messages"])


def check_latency(latency: dict[str, Any], messages: int) -> None:
    """Quantiles lie in order, the buckets hold every message and are narrow."""
    assert set(latency) == LATENCY
    assert latency["count"] == messages == sum(count for _, count in latency["buckets"])
    names = ("min", "p50", "p90", "p99", "p999", "max")
    assert [latency[name] for name in names] == sorted(latency[name] for name in names)
    assert latency["min"] <= latency["mean"] <= latency["max"]
    starts = [start for start, _ in latency["buckets"]]
    assert starts == sorted(set(starts))
    assert starts[0] <= latency["min"] < starts[0] * 1.01 + 1
    assert starts[-1] <= latency["max"] < starts[-1] * 1.01 + 1
    assert all(after - before >= before // 256 for before, after in itertools.pairwise(starts))
