"""What the programs print that `agreement` runs, as nanoseconds. Raises Unreadable where it is not what they print."""

import json
import math
import re

__all__ = ["Unreadable", "hackbench_ns", "loops_ns", "perf_messaging_ns", "perf_pipe_ns"]

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"


class Unreadable(ValueError):
    """A program printed something else than what it was asked for."""


def perf_pipe_ns(said: str) -> float:
    """`perf bench sched pipe`: nanoseconds a round trip, its start and the end of its child included."""
    return _found(rf"^\s*{_NUMBER} usecs/op$", said, "perf bench sched pipe") * 1e3


def perf_messaging_ns(said: str) -> float:
    """`perf bench sched messaging`: nanoseconds from the signal to start until all have ended; it prints whole ms."""
    return _found(rf"^\s*Total time: {_NUMBER} \[sec\]$", said, "perf bench sched messaging") * 1e9


def hackbench_ns(said: str) -> float:
    """`hackbench`: the same."""
    return _found(rf"^Time: {_NUMBER}$", said, "hackbench") * 1e9


def loops_ns(said: str) -> float:
    """`benchmarks/loops.c`: nanoseconds a round trip, lap or message."""
    try:
        each = float(json.loads(said)["ns"])
    except (ValueError, KeyError, TypeError):
        raise _unreadable("loops", said) from None
    if not math.isfinite(each) or each <= 0:
        raise _unreadable("loops", said)
    return each


def _found(pattern: str, said: str, program: str) -> float:
    match = re.search(pattern, said, re.MULTILINE)
    if match is None:
        raise _unreadable(program, said)
    return float(match[1])


def _unreadable(program: str, said: str) -> Unreadable:
    return Unreadable(f"{program} said: {said.strip()[-200:] or 'nothing'}")
