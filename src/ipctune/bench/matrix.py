"""The plan of `ipctune bench` and its result: which cells, in which order, for how long.

Cells are measured interleaved, round-robin over several rounds, each round in a new random order, so
that a drift of the machine meets them all alike.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ipctune.bench import core as measuring
from ipctune.bench.block import Block
from ipctune.bench.core import MechanismInfo, Refused
from ipctune.bench.limits import Limits
from ipctune.bench.predict import WakeCost
from ipctune.bench.row import Row, row_of
from ipctune.bench.spec import FREE, PAIRS, Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = ["BenchResult", "Measured", "Plan", "RefusedCell", "make_plan", "measure", "specs"]

OVERHEAD_S = 0.04
"""Seconds a block takes beside its measured part: start, warm-up, clearing up."""
LEAST_BLOCK_S, MOST_BLOCK_S = 0.05, 0.5
ROUNDS = 3
PLACEMENTS = ("same", "across", "free")


@dataclass(frozen=True, slots=True)
class RefusedCell:
    """A cell that gave no figure: refused by the machine (errno and the limit behind it), or failed."""

    spec: Spec
    what: str
    errno_name: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One run of `ipctune bench`. `started` is UTC; figures of time are ns, rates are a second."""

    started: str
    seconds: float
    seed: int
    kernel: str
    vcpus: int
    rows: tuple[Row, ...]
    refused: tuple[RefusedCell, ...] = ()
    failed: tuple[RefusedCell, ...] = ()
    wake: WakeCost | None = None
    limits: Limits | None = None
    planned_blocks: int = 0
    interrupted: bool = False
    schema: int = 1

    @property
    def blocks(self) -> int:
        """Blocks that were measured."""
        return sum(row.blocks for row in self.rows)

    @property
    def spoiled(self) -> int:
        """Blocks that others' CPU time or steal spoiled."""
        return sum(row.spoiled for row in self.rows)


@dataclass(frozen=True, slots=True)
class Plan:
    """Cells, rounds and seconds a block; `estimate_s` is what all of it will take."""

    cells: tuple[Spec, ...]
    rounds: int
    block_s: float

    @property
    def blocks(self) -> int:
        """How many blocks that makes."""
        return len(self.cells) * self.rounds

    @property
    def estimate_s(self) -> float:
        """Seconds the cells will take, the curve not counted."""
        return self.blocks * (self.block_s + OVERHEAD_S)


@dataclass(slots=True)
class Measured:
    """What has been measured so far: filled as it goes, so that Ctrl-C loses nothing."""

    blocks: dict[Spec, list[Block]] = field(default_factory=dict)
    refused: dict[Spec, RefusedCell] = field(default_factory=dict)
    failed: dict[Spec, RefusedCell] = field(default_factory=dict)

    def rows(self) -> tuple[Row, ...]:
        """One row a cell that has a block at least."""
        return tuple(row_of(spec, blocks) for spec, blocks in self.blocks.items() if blocks)


def placements(allowed: Iterable[int], asked: str | None) -> dict[str, tuple[int, int]]:
    """Where pairs run: `same`, `across` or `free`, or the two vCPUs asked for as `A,B`.

    What one vCPU can't show (across; free, which is the same) is not there. Raises WrongUse for a
    vCPU that we may not use.
    """
    cpus = sorted(allowed)
    first, second = cpus[0], cpus[-1] if len(cpus) < 2 else cpus[1]
    known = {"same": (first, first), "across": (first, second), "free": FREE}
    if len(cpus) < 2:
        known = {"same": (first, first)}
    if asked is None:
        return known
    if "," in asked:
        return {asked: _pair(asked, cpus)}
    if asked not in known:
        raise WrongUse(f"--cpus {asked} needs a second vCPU; there is one here")
    return {asked: known[asked]}


def _pair(asked: str, cpus: list[int]) -> tuple[int, int]:
    try:
        first, second = (int(word) for word in asked.split(","))
    except ValueError:
        raise WrongUse(f"--cpus {asked}", hint="two numbers, such as 0,1") from None
    for cpu in (first, second):
        if cpu not in cpus and cpu != -1:
            raise WrongUse(f"vCPU {cpu} can't be used here", hint=f"there are {cpus}")
    return first, second


def specs(
    infos: Iterable[MechanismInfo],
    where: dict[str, tuple[int, int]],
    patterns: tuple[str, ...] = PAIRS,
    *,
    size: int = 64,
    rate: float = 0.0,
) -> tuple[Spec, ...]:
    """The cells: every mechanism that has the pattern, in every placement."""
    return tuple(
        Spec(info.name, pattern, size, cpus, rate)
        for pattern in patterns
        for info in infos
        if pattern in info.patterns and (pattern != "stream" or info.stream)
        for cpus in where.values()
    )


def make_plan(cells: tuple[Spec, ...], budget_s: float) -> Plan:
    """Rounds and block length that fill `budget_s`; never below the shortest block."""
    count = max(len(cells), 1)
    rounds = max(ROUNDS, int(budget_s / (count * (MOST_BLOCK_S + OVERHEAD_S))))
    block_s = budget_s / (count * rounds) - OVERHEAD_S
    return Plan(cells, rounds, min(max(block_s, LEAST_BLOCK_S), MOST_BLOCK_S))


def measure(
    plan: Plan,
    seed: int,
    into: Measured,
    *,
    core: str | Path | None = None,
    tick: Callable[[], None] = lambda: None,
    deadline: float | None = None,
) -> None:
    """Measure the plan into `into`, block by block; what is refused or fails is noted and left out.

    Ends early, after a whole round, when `deadline` (time.monotonic) has passed. Raises
    WrongUse, and NotPossible where no cell can be measured at all.
    """
    for spec in plan.cells:
        into.blocks.setdefault(spec, [])
    for number, spec in _order(plan, seed, deadline):
        if spec not in into.refused and spec not in into.failed:
            _one(spec, plan.block_s, seed + number, into, core)
        tick()


def _order(plan: Plan, seed: int, deadline: float | None) -> Iterator[tuple[int, Spec]]:
    shuffle = random.Random(seed)
    for turn in range(plan.rounds):
        if turn and deadline is not None and time.monotonic() > deadline:
            return
        cells = list(plan.cells)
        shuffle.shuffle(cells)
        yield from ((turn, spec) for spec in cells)


def _one(spec: Spec, seconds: float, seed: int, into: Measured, core: str | Path | None) -> None:
    try:
        into.blocks[spec].append(measuring.run(spec, seconds, seed, core=core))
    except Refused as no:
        into.refused[spec] = RefusedCell(spec, no.what, no.errno_name, no.limit)
    except (WrongUse, NotPossible):
        raise
    except IpctuneError as error:  # it hung, crashed or changed a payload: the others go on
        into.failed[spec] = RefusedCell(spec, error.what)
