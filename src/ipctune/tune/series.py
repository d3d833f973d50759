"""Pairs of blocks at one load, as they come in, and what they add up to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

from ipctune.bench.block import Block
from ipctune.bench.histogram import Histogram, tail
from ipctune.judge.tails import Buckets
from ipctune.tune.model import ArmFigures

__all__ = ["Arm", "Series"]

_MIN_NS = 1.0


@dataclass
class Arm:
    """The blocks of one arm; `own_ns` is CPU time of pollers of ours beside each block."""

    blocks: list[Block] = field(default_factory=list)
    own_ns: list[float] = field(default_factory=list)

    def add(self, block: Block, own_ns: float) -> None:
        self.blocks.append(block)
        self.own_ns.append(own_ns)

    def p50(self, i: int) -> float:
        """Median latency of a block; for a stream as fast as it goes the time a message takes."""
        block = self.blocks[i]
        return max(_MIN_NS, block.p50_ns if block.p50_ns is not None else 1e9 / block.rate)

    def p99(self, i: int) -> float | None:
        latency = self.blocks[i].latency
        return None if latency is None else max(_MIN_NS, latency.p99)

    def price(self, i: int) -> float:
        """CPU of both sides, polling and our own pollers, ns a message."""
        block = self.blocks[i]
        return max(_MIN_NS, (block.price_ns + self.own_ns[i]) / block.messages)

    def _middle_p50(self) -> float | None:
        """The middle of the blocks' medians: samples pooled would count a fast block for more than a slow one."""
        found = [block.p50_ns for block in self.blocks if block.p50_ns is not None]
        return statistics.median(found) if found else None

    def figures(self) -> ArmFigures:
        """Everything of this arm together: prices are sums over its blocks, as polling shows only in sums."""
        seconds = sum(b.seconds for b in self.blocks)
        messages = sum(b.messages for b in self.blocks)
        own = sum(self.own_ns)
        price = sum(b.price_ns for b in self.blocks) + own
        pooled = Histogram.of(pair for b in self.blocks if b.histogram for pair in b.histogram.buckets)
        return ArmFigures(
            p50_ns=self._middle_p50(),
            p99_ns=tail(pooled, 0.99),
            messages_per_second=messages / seconds,
            cpu_ns_per_message=sum(b.cpu_ns for b in self.blocks) / messages,
            price_ns_per_message=price / messages,
            price_vcpus=price / (seconds * 1e9),
            polled_vcpus=(sum(b.poll_ns or 0 for b in self.blocks) + own) / (seconds * 1e9),
            samples=pooled.count,
        )


@dataclass
class Series:
    """A (the present state) and B (what is tried), block by block, in pairs."""

    a: Arm = field(default_factory=Arm)
    b: Arm = field(default_factory=Arm)

    def pairs(self) -> int:
        return min(len(self.a.blocks), len(self.b.blocks))

    def spoiled(self) -> int:
        return sum(block.spoiled is not None for arm in (self.a, self.b) for block in arm.blocks)

    def p50(self) -> list[float]:
        """Logarithms of B over A, a pair each."""
        return [log(self.b.p50(i) / self.a.p50(i)) for i in range(self.pairs())]

    def price(self) -> list[float]:
        return [log(self.b.price(i) / self.a.price(i)) for i in range(self.pairs())]

    def product(self) -> list[float]:
        """Latency × price: the energy–delay product."""
        return [p + c for p, c in zip(self.p50(), self.price(), strict=True)]

    def throughput(self) -> list[float]:
        return [log(self.b.blocks[i].rate / self.a.blocks[i].rate) for i in range(self.pairs())]

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


def _buckets(blocks: Sequence[Block]) -> list[Buckets]:
    return [block.histogram.buckets for block in blocks if block.histogram is not None]
