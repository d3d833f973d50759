"""Measure the wake-cost curve, in a few seconds and without setting anything on the machine.

What the points mean is in `bench.wake`, what they foretell in `bench.predict`; both are here too.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from ipctune.bench import core as measuring
from ipctune.bench.block import Block
from ipctune.bench.predict import Prediction, WakeCost, predict, suggest_poll_ns, wake_cost
from ipctune.bench.spec import Spec
from ipctune.bench.wake import Curve, Knee, Point, knee

__all__ = [
    "GAPS_NS",
    "Curve",
    "Knee",
    "Point",
    "Prediction",
    "WakeCost",
    "curve_of",
    "knee",
    "measure",
    "plan",
    "predict",
    "suggest_poll_ns",
    "wake_cost",
]

GAPS_NS = tuple(us * 1000 for us in (0, 20, 50, 100, 200, 400, 1000, 4000, 10000))
BLOCK_S = 0.25


def plan(cpus: tuple[int, int], gaps: tuple[int, ...] = GAPS_NS) -> tuple[Spec, ...]:
    """The blocks of a curve: the awake reference on one vCPU first, then each gap across two."""
    across = Spec(cpus=cpus)
    return (Spec(cpus=(cpus[0], cpus[0])), *(across.replace(gap_ns=gap) for gap in gaps))


def measure(
    cpus: tuple[int, int],
    seed: int,
    *,
    seconds: float = BLOCK_S,
    core: str | Path | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Curve:
    """Measure the curve between two vCPUs, about `seconds` a point; sets nothing on the machine.

    Raises what `bench.core.run` raises.
    """
    return curve_of(tuple(_blocks(plan(cpus), seed, seconds, core, tick)))


def _blocks(
    specs: tuple[Spec, ...],
    seed: int,
    seconds: float,
    core: str | Path | None,
    tick: Callable[[], None],
) -> Iterator[Block]:
    for spec in specs:
        block = measuring.run(spec, seconds, seed, core=core)
        if block.spoiled:  # by others, who may be gone now; once, so that it ends
            block = measuring.run(spec, seconds, seed, core=core)
        yield block
        tick()


def curve_of(blocks: tuple[Block, ...]) -> Curve:
    """The curve from the blocks of `plan`, in its order."""
    awake, *rest = blocks
    return Curve(tuple(_point(block) for block in rest), awake.p50_ns or 0.0, rest[0].spec.cpus)


def _point(block: Block) -> Point:
    poll = None if block.poll_ns is None else block.poll_ns / block.messages
    count = block.histogram.count if block.histogram else 0
    return Point(
        gap_ns=block.spec.gap_ns,
        p50_ns=block.p50_ns or 0.0,
        count=count,
        cpu_ns_per_message=block.cpu_ns_per_message,
        poll_ns_per_message=poll,
        spoiled=block.spoiled,
    )
