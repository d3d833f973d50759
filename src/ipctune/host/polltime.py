"""What idle vCPUs do: the time that they poll, which the guest counts as idle, and how often they halt."""

import os
import time
from pathlib import Path

__all__ = ["halts", "idle_vcpus", "poll_us"]


def poll_us() -> int | None:
    """Time that all vCPUs have spent in the cpuidle POLL state, in µs; None without a cpuidle driver.

    The kernel adds to it when the state is left, so every vCPU that we may run on is visited first.
    """
    _visit_all()
    total, seen = 0, False
    for state in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpuidle/state[0-9]*"):
        try:
            if (state / "name").read_text().strip() == "POLL":
                total += int((state / "time").read_text())
                seen = True
        except (OSError, ValueError):
            continue
    return total if seen else None


def halts() -> int | None:
    """How often the vCPUs have entered an idle state other than POLL; None without a cpuidle driver.

    Source: Documentation/admin-guide/pm/cpuidle.rst.
    """
    total, seen = 0, False
    for state in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpuidle/state[0-9]*"):
        try:
            if (state / "name").read_text().strip() != "POLL":
                total += int((state / "usage").read_text())
                seen = True
        except (OSError, ValueError):
            continue
    return total if seen else None


def idle_vcpus(seconds: float, own_cpu_ns: float = 0.0) -> float | None:
    """Sleep that long and return what was polled meanwhile, in vCPUs; None where nothing tells.

    `own_cpu_ns` is added by the caller's pollers, if it has any.
    """
    before, start = poll_us(), time.monotonic()
    time.sleep(seconds)
    after, took = poll_us(), time.monotonic() - start
    if before is None or after is None:
        return None
    return (after - before) * 1e-6 / took + own_cpu_ns / (took * 1e9)


def _visit_all() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        for cpu in sorted(allowed):
            os.sched_setaffinity(0, {cpu})
    finally:
        os.sched_setaffinity(0, allowed)
