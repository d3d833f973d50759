"""What `ipctune bench --recommend` found, as values."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.bench.block import Block
from ipctune.bench.candidates import Candidate, Options
from ipctune.bench.histogram import Histogram, tail
from ipctune.bench.rounds import Absent
from ipctune.bench.simplicity import Rank, burdens, rank
from ipctune.judge.verdict import Estimate

__all__ = ["Absent", "Answer", "Arm", "Lever", "Looked", "Recommendation", "Table", "arm_of"]

NEAR = 0.10
"""How much longer a message may take, by what was measured, for a simpler way to be named that is not told apart: else
too few blocks would speak for what is probably much slower."""
_KEEPS_UP = 0.95
"""Part of an open loop's rate below which the pair falls behind: latency is then that of a growing queue."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the finalists. Times in ns, prices with polling, of both sides.

    `slower` is by which fraction a message takes longer than through the fastest (median latency, or the time a
    message takes in a stream flat out), `dearer` the same of the price; None for the fastest itself. `apart`: it is
    told apart from the fastest, as slower. `burdens` is what it asks of the program, the worst first; None: unknown.
    `again`: its figures are of blocks that had no part in the decision.
    """

    label: str
    mechanism: str
    options: Options
    p50_ns: float | None
    p99_ns: float | None
    samples: int
    messages_per_second: float
    bytes_per_second: float
    cpu_ns_per_message: float
    poll_ns_per_message: float | None
    price_ns_per_message: float
    price_vcpus: float
    blocks: int
    spoiled: int
    keeps_up: bool
    burdens: tuple[str, ...] | None
    apart: bool = False
    again: bool = False
    slower: Estimate | None = None
    dearer: Estimate | None = None

    @property
    def near(self) -> bool:
        """Whether it may be named in the fastest one's place."""
        return not self.apart and (self.slower is None or self.slower.effect <= NEAR)


@dataclass(frozen=True, slots=True)
class Table:
    """The finalists, the fastest first; `named` is the simplest of those that are not told apart from it and near."""

    fastest: str
    named: str
    arms: tuple[Arm, ...]

    def arm(self, label: str) -> Arm:
        """The one of that label."""
        return next(arm for arm in self.arms if arm.label == label)

    @property
    def not_apart(self) -> tuple[str, ...]:
        """All that are not told apart from the fastest, itself included."""
        return tuple(arm.label for arm in self.arms if not arm.apart)

    @property
    def alike(self) -> tuple[str, ...]:
        """Those of them that are near, itself included."""
        return tuple(arm.label for arm in self.arms if arm.near)

    @property
    def simpler(self) -> tuple[str, ...]:
        """Not told apart, simpler than the named one, and not near: only more blocks can tell."""
        than = _rank(self.arm(self.named))
        return tuple(a.label for a in self.arms if not a.apart and not a.near and _rank(a) < than)

    @property
    def cheaper(self) -> Arm | None:
        """The one of the least price, where that is surely below the named one's."""
        named = self.arm(self.named)
        sure = [arm for arm in self.arms if _surely_cheaper(arm, named)]
        return min(sure, key=lambda arm: arm.price_ns_per_message, default=None)


def _rank(arm: Arm) -> Rank:
    return rank(arm.mechanism, arm.options)


def _surely_cheaper(arm: Arm, than: Arm) -> bool:
    if arm.dearer is None or arm.dearer.high is None:
        return False
    least = 0.0 if than.dearer is None else than.dearer.low
    return least is not None and arm.dearer.high < least


@dataclass(frozen=True, slots=True)
class Looked:
    """One of those that had the short look: median latency (ns, None for a stream flat out) and messages a second."""

    label: str
    p50_ns: float | None
    messages_per_second: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One pattern at one size. No table: it ended before the finalists were known, or nothing could be measured.

    `again`: the gain was measured again after the decision. `settled`: no pair was left open for want of time.
    """

    pattern: str
    size: int
    table: Table | None
    looked: tuple[Looked, ...]
    absent: tuple[Absent, ...]
    blocks: int
    rounds: int
    again_rounds: int
    settled: bool


@dataclass(frozen=True, slots=True)
class Lever:
    """The idle lever: which it is here, its price in words, what it would take; and the finalists with it on.

    `gain` is by which fraction a message takes longer with it on through the named one, paired: below 0 is faster.
    """

    knob: str | None
    title: str
    value: str
    price: str
    needs: str
    table: Table | None = None
    gain: Estimate | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One run. `started` is UTC; `rate` 0 is as fast as it goes; one answer a size and pattern, several for a map."""

    started: str
    seconds: float
    seed: int
    kernel: str
    vcpus: int
    rate: float
    work_ns: int
    placement: str
    answers: tuple[Answer, ...]
    lever: Lever | None = None
    is_map: bool = False
    interrupted: bool = False
    stopped: str = ""
    schema: int = 1

    @property
    def failed(self) -> tuple[Absent, ...]:
        """Those that crashed, hung or changed a payload."""
        return tuple(one for answer in self.answers for one in answer.absent if one.failed)


def arm_of(candidate: Candidate, blocks: Sequence[Block]) -> Arm:
    """The blocks of one, one at least: medians over blocks; prices as sums, for polling is booked in lumps."""
    medians = [block.p50_ns for block in blocks if block.p50_ns is not None]
    pooled = Histogram.of(pair for block in blocks if block.histogram for pair in block.histogram.buckets)
    seconds, messages = sum(b.seconds for b in blocks), sum(b.messages for b in blocks)
    middle, p99 = statistics.median(medians) if medians else None, tail(pooled, 0.99)
    if middle is not None and p99 is not None and p99 < middle:
        p99 = None  # some blocks were many times faster, and so have nearly all the samples: they are not the tail
    polled = [block.poll_ns for block in blocks if block.poll_ns is not None]
    price = sum(block.price_ns for block in blocks)
    rate = statistics.median(block.rate for block in blocks)
    known = burdens(candidate.spec.mechanism, candidate.options)
    return Arm(
        label=candidate.label,
        mechanism=candidate.spec.mechanism,
        options=candidate.options,
        p50_ns=middle,
        p99_ns=p99,
        samples=pooled.count,
        messages_per_second=rate,
        bytes_per_second=statistics.median(block.bytes_per_second for block in blocks),
        cpu_ns_per_message=sum(b.cpu_ns for b in blocks) / messages,
        poll_ns_per_message=sum(polled) / messages if polled else None,
        price_ns_per_message=price / messages,
        price_vcpus=price / (seconds * 1e9),
        blocks=len(blocks),
        spoiled=sum(block.spoiled is not None for block in blocks),
        keeps_up=rate >= _KEEPS_UP * candidate.spec.rate,
        burdens=None if known is None else tuple(one.value for one in known),
    )
