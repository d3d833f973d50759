"""Pairs of blocks at one load, as they come in, and what they add up to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

from ipctune.bench.histogram import Histogram, tail
from ipctune.judge.tails import Buckets
from ipctune.tune.model import ArmFigures
from ipctune.workload.model import Sample

__all__ = ["Arm", "Series"]

_MIN_NS = 1.0
_LEAST_BLOCKS = 2  # in each half


@dataclass
class Arm:
    """The blocks of one arm; `own_ns` is CPU time of pollers of ours beside each block."""

    blocks: list[Sample] = field(default_factory=list)
    own_ns: list[float] = field(default_factory=list)

    def add(self, block: Sample, own_ns: float) -> None:
        self.blocks.append(block)
        self.own_ns.append(own_ns)

    def p50(self, i: int) -> float:
        """What the goal looks at first: median latency (a message's time for a stream flat out), or the metric."""
        return self.blocks[i].figure

    def p99(self, i: int) -> float | None:
        buckets = self.blocks[i].buckets
        return Histogram(buckets).quantile(0.99) if buckets else None

    def price(self, i: int) -> float:
        """CPU of the workload, polling and our own pollers, ns a message; a block's where nobody counts messages."""
        block = self.blocks[i]
        return max(_MIN_NS, (block.price_ns + self.own_ns[i]) / _count(block))

    def rate(self, i: int) -> float:
        """Messages a second; blocks a second where nobody counts messages."""
        return _count(self.blocks[i]) / self.blocks[i].seconds

    def _middle(self, blocks: Sequence[Sample]) -> float | None:
        """The middle of the blocks' medians: samples pooled would count a fast block for more than a slow one."""
        return statistics.median(block.figure for block in blocks) if blocks else None

    def figures(self) -> ArmFigures:
        """Everything of this arm together: prices are sums over its blocks, as polling shows only in sums."""
        seconds = sum(b.seconds for b in self.blocks)
        messages = sum(b.messages for b in self.blocks)
        counted = sum(_count(b) for b in self.blocks)
        own = sum(self.own_ns)
        price = sum(b.price_ns for b in self.blocks) + own
        pooled = Histogram.of(pair for b in self.blocks for pair in b.buckets or ())
        return ArmFigures(
            p50_ns=self._middle([b for b in self.blocks if b.buckets is not None]),
            p99_ns=tail(pooled, 0.99),
            messages_per_second=messages / seconds,
            cpu_ns_per_message=sum(b.cpu_ns for b in self.blocks) / counted,
            price_ns_per_message=price / counted,
            price_vcpus=price / (seconds * 1e9),
            polled_vcpus=(sum(b.poll_ns or 0 for b in self.blocks) + own) / (seconds * 1e9),
            samples=pooled.count,
            figure=self._middle(self.blocks),
        )


@dataclass
class Series:
    """A (the present state) and B (what is tried), block by block, in pairs. `higher_is_better` is of the figure."""

    a: Arm = field(default_factory=Arm)
    b: Arm = field(default_factory=Arm)
    higher_is_better: bool = False

    def pairs(self) -> int:
        return min(len(self.a.blocks), len(self.b.blocks))

    def spoiled(self) -> int:
        return sum(block.spoiled is not None for arm in (self.a, self.b) for block in arm.blocks)

    def p50(self) -> list[float]:
        """Logarithms of B over A, a pair each: of the median latency, or of the metric."""
        return [log(self.b.p50(i) / self.a.p50(i)) for i in range(self.pairs())]

    def price(self) -> list[float]:
        return [log(self.b.price(i) / self.a.price(i)) for i in range(self.pairs())]

    def product(self) -> list[float]:
        """Latency × price: the energy–delay product. Of a figure that is better when higher, price over figure."""
        sign = -1 if self.higher_is_better else 1
        return [sign * p + c for p, c in zip(self.p50(), self.price(), strict=True)]

    def throughput(self) -> list[float]:
        return [log(self.b.rate(i) / self.a.rate(i)) for i in range(self.pairs())]

    def traffic(self) -> float | None:
        """How much more the second half of A's blocks went through than the first, as a factor; None for too few.

        A alone: what a setting does to the rate of those who wait for an answer before they ask again is in B.
        """
        rates = [self.a.rate(i) for i in range(len(self.a.blocks))]
        half = len(rates) // 2
        if half < _LEAST_BLOCKS:
            return None
        return statistics.median(rates[-half:]) / statistics.median(rates[:half])

    def p99(self) -> Sequence[float]:
        """Pairs of the blocks' own p99, where there are latencies."""
        found = [(self.a.p99(i), self.b.p99(i)) for i in range(self.pairs())]
        return [log(b / a) for a, b in found if a is not None and b is not None]

    def histograms(self) -> tuple[list[Buckets], list[Buckets]]:
        """Each arm's latencies, a histogram a block."""
        n = self.pairs()
        return _buckets(self.a.blocks[:n]), _buckets(self.b.blocks[:n])

    def known_p99(self) -> bool:
        """Whether both arms have enough samples for a p99 at all."""
        return all(arm.figures().p99_ns is not None for arm in (self.a, self.b))


def _buckets(blocks: Sequence[Sample]) -> list[Buckets]:
    return [block.buckets for block in blocks if block.buckets is not None]


def _count(block: Sample) -> int:
    """What a price is for: messages, or the block itself."""
    return block.messages or 1
