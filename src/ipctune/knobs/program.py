"""Knobs that belong to a program: tried on the workload against the bare baseline, and printed as advice.

The names of their parts are options of a workload; nothing on the machine is written.
Sources: sched(7), fcntl(2) F_SETPIPE_SZ, socket(7).
"""

from collections.abc import Sequence

from ipctune.host.model import Host
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Scope, Value

__all__ = ["KNOBS"]


def _placement(host: Host, _hints: Hints) -> Sequence[Value]:
    return ({"cpus": "same"},) if len(host.cpus.allowed) > 1 else ()


def _batch(_host: Host, hints: Hints) -> Sequence[Value]:
    return ({"policy": "batch"},) if hints.get("pattern") in ("stream", "own") else ()


def _pipe(host: Host, hints: Hints) -> Sequence[Value]:
    largest = host.limits.get("fs.pipe-max-size")
    ceiling = 1 << 20 if largest is None or largest.value is None else largest.value
    return ({"capacity": str(min(ceiling, 1 << 20))},) if hints.get("mechanism") == "pipe" else ()


def _sockets(_host: Host, hints: Hints) -> Sequence[Value]:
    is_socket = hints.get("mechanism", "").startswith(("unix", "tcp"))
    return ({"capacity": hints.get("socket_buffer", "212992")},) if is_socket else ()


KNOBS = (
    Knob(
        id="placement",
        title="both sides on one vCPU",
        kind=Kind.OPTION,
        scope=Scope.PROCESS,
        helps=frozenset({Cause.HALTED_WAKE}),
        candidates=_placement,
        why_not=lambda _host: "there is one vCPU: everything shares it",
        price="no parallelism: with real work on both sides it costs more than it gains",
        reach="the two programs alone",
        source="sched_setaffinity(2)",
        undo="advice only",
    ),
    Knob(
        id="sched-batch",
        title="SCHED_BATCH for both sides",
        kind=Kind.OPTION,
        scope=Scope.PROCESS,
        helps=frozenset({Cause.FULL_QUEUE, Cause.RUN_QUEUE, Cause.COPYING}),
        candidates=_batch,
        why_not=lambda _host: "only for one-way streams: a ping-pong waits for every message",
        price="a woken side waits longer for its turn",
        reach="the two programs alone",
        source="sched(7)",
        undo="advice only",
    ),
    Knob(
        id="pipe-capacity",
        title="capacity of the pipe",
        kind=Kind.OPTION,
        scope=Scope.PROCESS,
        helps=frozenset({Cause.FULL_QUEUE}),
        candidates=_pipe,
        why_not=lambda _host: "the workload does not use a pipe",
        price="kernel memory, up to the capacity for each pipe",
        memory=lambda value: int(value["capacity"]),
        reach="that pipe alone",
        source="fcntl(2) F_SETPIPE_SZ",
        undo="advice only",
    ),
    Knob(
        id="socket-buffers",
        title="socket buffers",
        kind=Kind.OPTION,
        scope=Scope.PROCESS,
        helps=frozenset({Cause.FULL_QUEUE}),
        candidates=_sockets,
        why_not=lambda _host: "the workload does not use a socket",
        price="kernel memory, up to the buffers for each socket",
        memory=lambda value: 4 * int(value["capacity"]),  # send and receive, at both ends
        reach="that connection alone",
        source="socket(7) SO_SNDBUF, SO_RCVBUF",
        undo="advice only",
    ),
)
