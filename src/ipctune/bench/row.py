"""The blocks of one cell summed up: medians over blocks, their range, and what a message cost."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipctune.bench.block import Block
from ipctune.bench.counts import Burst, Zerocopy
from ipctune.bench.histogram import Histogram, tail
from ipctune.bench.spec import Spec

__all__ = ["Range", "Row", "row_of"]


@dataclass(frozen=True, slots=True)
class Range:
    """The median over blocks, with the lowest and the highest block."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the bench. Times in ns; `kind` is `round-trip`, `one-way` or None (no latency).

    Spoiled blocks count only where there is no other; `spoiled` says how many there were. `p99_ns` and
    `p999_ns` come from all samples together and are None (unknown) with too few of them. `zerocopy` is the sum over
    blocks, None where the mechanism is told of no copies. `figures` are the blocks
    that count: when each began, in seconds of measuring, and its p50 in ns; messages a second where `kind` is None.
    `floor_ns` is the least that is possible here (`bench.floor`), `times_floor` the median latency as a multiple of
    it, or, without latencies, the time a message. `burst` is the sum over blocks, its `fits` the most; `share` the
    least and most messages that one peer of a fan had.
    """

    spec: Spec
    placement: str
    blocks: int
    spoiled: int
    kind: str | None
    p50_ns: Range | None
    p90_ns: float | None
    p99_ns: float | None
    p999_ns: float | None
    max_ns: float | None
    messages_per_second: Range
    bytes_per_second: float
    cpu_ns_per_message: float
    poll_ns_per_message: float | None
    price_ns_per_message: float
    price_vcpus: float
    syscalls_per_message: float
    switches_per_message: float
    faults_per_message: float
    steal_share: float | None
    foreign_vcpus: float
    capacity: int | None
    histogram: tuple[tuple[int, int], ...]
    zerocopy: Zerocopy | None = None
    figures: tuple[tuple[float, float], ...] = ()
    floor_ns: float | None = None
    times_floor: float | None = None
    burst: Burst | None = None
    share: tuple[int, int] | None = None


def row_of(spec: Spec, blocks: Sequence[Block], at: Sequence[float] = ()) -> Row:
    """Sum up one block or more of `spec`; `at` is when each began, in seconds of measuring."""
    good = [block for block in blocks if block.spoiled is None] or list(blocks)
    merged = _merged(good)
    kinds = [block.latency.kind for block in good if block.latency is not None]
    highest = [block.latency.max for block in good if block.latency is not None]
    return Row(
        spec=spec,
        placement=spec.placement,
        blocks=len(blocks),
        spoiled=sum(block.spoiled is not None for block in blocks),
        kind=kinds[0] if kinds else None,
        p50_ns=_range([b.p50_ns for b in good if b.p50_ns is not None]),
        p90_ns=tail(merged, 0.9, 1000),
        p99_ns=tail(merged, 0.99),
        p999_ns=tail(merged, 0.999, 100_000),
        max_ns=max(highest, default=None),
        messages_per_second=_surely([block.rate for block in good]),
        bytes_per_second=_median(good, lambda b: b.bytes_per_second),
        cpu_ns_per_message=_median(good, lambda b: b.cpu_ns_per_message),
        poll_ns_per_message=_polled(good),
        price_ns_per_message=_median(good, lambda b: b.price_ns_per_message),
        price_vcpus=_median(good, lambda b: b.price_vcpus),
        syscalls_per_message=_median(good, lambda b: b.syscalls_per_message),
        switches_per_message=_median(good, lambda b: b.switches_per_message),
        faults_per_message=_median(good, lambda b: b.faults_per_message),
        steal_share=_steal(blocks),
        foreign_vcpus=_median(blocks, lambda b: b.machine.foreign_ns / (b.machine.seconds * 1e9)),
        capacity=good[0].capacity,
        histogram=merged.buckets,
        zerocopy=_zerocopy(good),
        figures=_figures(blocks, at, good),
        burst=_bursts([block.burst for block in good if block.burst is not None]),
        share=_share([block.share for block in good if block.share is not None]),
    )


def _bursts(bursts: Sequence[Burst]) -> Burst | None:
    if not bursts:
        return None
    counted = ("bursts", "offered", "accepted", "partial", "received", "lost", "refused")
    sums = {name: sum(getattr(burst, name) for burst in bursts) for name in counted}
    errno = next((burst.errno for burst in bursts if burst.errno), None)
    return Burst(**sums, errno=errno, fits=max(burst.fits for burst in bursts))


def _share(shares: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    return (min(least for least, _ in shares), max(most for _, most in shares)) if shares else None


def _figures(blocks: Sequence[Block], at: Sequence[float], good: Sequence[Block]) -> tuple[tuple[float, float], ...]:
    counted = {id(block) for block in good}
    when = at if len(at) == len(blocks) else range(len(blocks))
    return tuple(
        (float(begun), block.rate if block.p50_ns is None else block.p50_ns)
        for begun, block in zip(when, blocks, strict=True)
        if id(block) in counted
    )


def _merged(blocks: Sequence[Block]) -> Histogram:
    return Histogram().merged(*(b.histogram for b in blocks if b.histogram is not None))


def _median(blocks: Sequence[Block], value: Callable[[Block], float]) -> float:
    return statistics.median(value(block) for block in blocks)


def _range(values: list[float]) -> Range | None:
    return _surely(values) if values else None


def _surely(values: list[float]) -> Range:
    return Range(statistics.median(values), min(values), max(values))


def _polled(blocks: Sequence[Block]) -> float | None:
    """Summed over blocks rather than a median: POLL time is booked late, in lumps."""
    known = [b for b in blocks if b.poll_ns is not None]
    if not known:
        return None
    return sum(b.poll_ns or 0 for b in known) / sum(b.messages for b in known)


def _zerocopy(blocks: Sequence[Block]) -> Zerocopy | None:
    known = [b.zerocopy for b in blocks if b.zerocopy is not None]
    return Zerocopy(sum(z.completions for z in known), sum(z.copied for z in known)) if known else None


def _steal(blocks: Sequence[Block]) -> float | None:
    known = [b.machine for b in blocks if b.machine.steal_ns is not None]
    if not known:
        return None
    return sum(m.steal_ns or 0 for m in known) / sum(m.seconds * 1e9 for m in known)
