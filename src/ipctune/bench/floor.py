"""The least that a message can take on this machine, whatever carries it; results stand beside it as multiples.

One floor for all mechanisms, from what was measured here (`bench.limits`) and not from how any of them works:

- **Between two vCPUs** the message has to cross, and the reply has to come back. No store on one vCPU is seen on
  another before its cache line has moved there, so a round trip takes a line there and back, and the bytes of each
  message have to be moved as well: a copy each way, as fast as memcpy is between warm buffers of one vCPU. Nobody
  sleeps in this: it is what a pair that spins on shared memory comes near to.
- **On one vCPU** the other side can't run before this one has given the vCPU away. That takes a context switch, and
  the system call that leads to it, there and back, and a copy each way. Preemption would need no call, but comes
  milliseconds later.
- **Not pinned** the kernel may choose either: the lesser of both.
- **One way** is half a round trip.
- **A stream** as fast as it goes pays nobody's latency: what is left is the copy. The figure is the time a message.

What the answering side computes is part of its answer, so it is added. What a rate or an idle gap makes dearer (timers,
halted vCPUs) is no limit: a wake-up is the price of sleeping, and it is in the multiple.

What it is not: a copy is one read and one write of every byte. A mechanism that hands pages over without touching them,
to a reader that does not look at them, can take less: a multiple below 1 says that.
"""

from dataclasses import replace

from ipctune.bench.limits import Limits
from ipctune.bench.row import Row
from ipctune.bench.spec import Spec

__all__ = ["floor_ns", "with_floor"]


def with_floor(row: Row, limits: Limits | None) -> Row:
    """The row with its floor, and its figure as a multiple of that; both stay None where a limit is unknown."""
    floor = None if limits is None else floor_ns(row.spec, row.kind, limits)
    if floor is None:
        return row
    return replace(row, floor_ns=floor, times_floor=_figure_ns(row) / floor)


def floor_ns(spec: Spec, kind: str | None, limits: Limits) -> float | None:
    """The least ns of a `round-trip`, of a `one-way` latency, or (None) of a message in a stream flat out."""
    copy = limits.copy_ns(spec.size)
    if kind is None or copy is None:
        return copy
    hop = _hop_ns(spec, limits)
    if hop is None:
        return None
    return 2 * (hop + copy) + spec.work_ns if kind == "round-trip" else hop + copy


def _hop_ns(spec: Spec, limits: Limits) -> float | None:
    """From one side to the other, without the bytes."""
    if spec.placement == "same":
        return _switch_ns(limits)
    if spec.placement == "across":
        return _line_ns(limits) if _is_that_pair(spec, limits) else None
    return min(filter(None, (_switch_ns(limits), _line_ns(limits))), default=None)


def _switch_ns(limits: Limits) -> float | None:
    if not limits.context_switch_ns or not limits.syscall_ns:
        return None
    return limits.context_switch_ns + limits.syscall_ns


def _line_ns(limits: Limits) -> float | None:
    return limits.cache_line_ns / 2 if limits.cache_line_ns else None


def _is_that_pair(spec: Spec, limits: Limits) -> bool:
    """Another pair of vCPUs may share more or less of the caches."""
    return limits.cpus is None or set(limits.cpus) == set(spec.cpus)


def _figure_ns(row: Row) -> float:
    return 1e9 / row.messages_per_second.median if row.p50_ns is None else row.p50_ns.median
