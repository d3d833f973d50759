"""The plan of `ipctune bench` and its result: which cells, in which order, for how long.

Cells are measured interleaved, round-robin over several rounds, each round in a new random order, so
that a drift of the machine meets them all alike.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from ipctune.bench import core as measuring
from ipctune.bench.block import Block, NoMessage
from ipctune.bench.cells import placements, specs
from ipctune.bench.core import Refused
from ipctune.bench.limits import Limits
from ipctune.bench.order import LEAST_ROUNDS, Order
from ipctune.bench.predict import WakeCost
from ipctune.bench.row import Row, row_of
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = [
    "BenchResult",
    "Measured",
    "Plan",
    "RefusedCell",
    "full_plan",
    "make_plan",
    "measure",
    "placements",
    "specs",
]

OVERHEAD_S = 0.04
"""Seconds a block takes beside its measured part: start, warm-up, clearing up."""
LEAST_BLOCK_S, USUAL_BLOCK_S, MOST_BLOCK_S = 0.05, 0.1, 0.5
ROUNDS = LEAST_ROUNDS
FULL_ROUNDS = 5
MOST_ROUNDS = 40
"""A comparison of two runs gains nothing by more blocks than that; longer ones then."""
STAGE_S = 90.0
PLACEMENTS = ("same", "across", "free")


@dataclass(frozen=True, slots=True)
class RefusedCell:
    """A cell that gave no figure: refused by the machine (errno and the limit behind it), or failed."""

    spec: Spec
    what: str
    errno_name: str | None = None
    limit: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One run of `ipctune bench`. `started` is UTC; figures of time are ns, rates are a second.

    `unreached` are the cells that the time did not reach; `machine` is what the machine was, by `bench.machine`.
    """

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
    unreached: tuple[Spec, ...] = ()
    machine: dict[str, str] = field(default_factory=dict)
    version: str = ""

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
    """Cells, rounds and seconds a block; `estimate_s` is what all of it will take.

    With `budget_s` the time decides: what matters first is reached first, and as many cells as fit. `staged`: a part of
    the cells is finished before the next is begun.
    """

    cells: tuple[Spec, ...]
    rounds: int
    block_s: float
    budget_s: float | None = None
    staged: bool = False

    @property
    def blocks(self) -> int:
        """How many blocks that makes, about as many where the time decides."""
        every = len(self.cells) * self.rounds
        return every if self.budget_s is None else max(1, int(self.budget_s / (self.block_s + OVERHEAD_S)))

    @property
    def estimate_s(self) -> float:
        """Seconds the cells will take, the curve not counted."""
        return self.blocks * (self.block_s + OVERHEAD_S) if self.budget_s is None else self.budget_s


@dataclass(slots=True)
class Measured:
    """What has been measured so far: filled as it goes, so that Ctrl-C loses nothing.

    `at` is when each block began, in seconds of measuring; `spent_s` all of those seconds.
    """

    blocks: dict[Spec, list[Block]] = field(default_factory=dict)
    refused: dict[Spec, RefusedCell] = field(default_factory=dict)
    failed: dict[Spec, RefusedCell] = field(default_factory=dict)
    at: dict[Spec, list[float]] = field(default_factory=dict)
    spent_s: float = 0.0

    def add(self, block: Block, at: float) -> None:
        """One more block of its cell."""
        self.blocks.setdefault(block.spec, []).append(block)
        self.at.setdefault(block.spec, []).append(at)

    @property
    def out(self) -> set[Spec]:
        """Cells that are not tried again."""
        return self.refused.keys() | self.failed.keys()

    @property
    def count(self) -> int:
        """Blocks so far."""
        return sum(map(len, self.blocks.values()))

    def rows(self) -> tuple[Row, ...]:
        """One row a cell that has a block at least."""
        return tuple(row_of(spec, blocks, self.at.get(spec, ())) for spec, blocks in self.blocks.items() if blocks)

    def unreached(self, cells: tuple[Spec, ...]) -> tuple[Spec, ...]:
        """Those that have no block and no refusal."""
        return tuple(cell for cell in cells if not self.blocks.get(cell) and cell not in self.out)


def make_plan(cells: tuple[Spec, ...], budget_s: float) -> Plan:
    """Rounds and block length that fill `budget_s`; every cell gets its rounds, of the shortest block at least."""
    count = max(len(cells), 1)
    rounds = int(budget_s / (count * (USUAL_BLOCK_S + OVERHEAD_S)))
    rounds = min(max(ROUNDS, rounds), max(MOST_ROUNDS, int(budget_s / (count * (MOST_BLOCK_S + OVERHEAD_S)))))
    block_s = budget_s / (count * rounds) - OVERHEAD_S
    return Plan(cells, rounds, min(max(block_s, LEAST_BLOCK_S), MOST_BLOCK_S))


def full_plan(cells: tuple[Spec, ...], budget_s: float | None) -> Plan:
    """A plan of many cells in the order of their weight: as many of them as `budget_s` has room for; None: all."""
    if budget_s is None:
        return Plan(cells, FULL_ROUNDS, USUAL_BLOCK_S, staged=True)
    plan = make_plan(cells, budget_s)
    return Plan(cells, plan.rounds, max(plan.block_s, USUAL_BLOCK_S), budget_s, staged=True)


def measure(
    plan: Plan,
    seed: int,
    into: Measured,
    *,
    core: str | Path | None = None,
    tick: Callable[[], None] = lambda: None,
    deadline: float | None = None,
    keep: Callable[[Block | RefusedCell, float], None] = lambda _, __: None,
) -> None:
    """Measure the plan into `into`, block by block; what is refused or fails is noted and left out.

    Goes on where `into` is. `keep` is called with each block, refusal or failure and the seconds of measuring at which
    it began. Ends early, after the least of whole rounds, when `deadline` (time.monotonic) has passed. Raises
    WrongUse where the core understands no cell at all, and NotPossible where none can be measured.
    """
    for spec in plan.cells:
        into.blocks.setdefault(spec, [])
    misunderstood: list[WrongUse] = []
    for spec in _order(plan, seed, into, deadline):
        begun = time.monotonic()
        found = _one(spec, plan.block_s, seed + len(into.blocks[spec]), core, misunderstood)
        _note(found, into)
        keep(found, into.spent_s)
        into.spent_s += time.monotonic() - begun
        tick()
    if misunderstood and not into.count and len(misunderstood) == len(into.refused) and not into.failed:
        raise misunderstood[0]


def _order(plan: Plan, seed: int, into: Measured, deadline: float | None) -> Iterator[Spec]:
    until = inf if deadline is None else deadline
    budget = plan.budget_s

    def left() -> float:
        return until - time.monotonic() if budget is None else budget - into.spent_s

    def block_s() -> float:
        planned = plan.block_s + OVERHEAD_S
        return planned if into.count < ROUNDS else max(planned, into.spent_s / into.count)

    stage_s = inf if not plan.staged else min(STAGE_S, max(budget or inf, 1.0) / ROUNDS)
    fill = budget is not None
    return iter(Order(plan.cells, plan.rounds, seed, into.blocks, _Out(into), left, block_s, stage_s, fill))


@dataclass(frozen=True, slots=True)
class _Out:
    """`Measured.out`, looked at anew each time."""

    into: Measured

    def __contains__(self, spec: object) -> bool:
        return spec in self.into.refused or spec in self.into.failed

    def __len__(self) -> int:
        return len(self.into.refused) + len(self.into.failed)

    def __iter__(self) -> Iterator[Spec]:
        return iter(self.into.out)


def _note(found: Block | RefusedCell, into: Measured) -> None:
    if isinstance(found, Block):
        into.add(found, into.spent_s)
    else:
        (into.failed if found.failed else into.refused)[found.spec] = found


def _one(
    spec: Spec, seconds: float, seed: int, core: str | Path | None, misunderstood: list[WrongUse]
) -> Block | RefusedCell:
    try:
        return measuring.run(spec, seconds, seed, core=core)
    except Refused as no:
        return RefusedCell(spec, no.what, no.errno_name, no.limit)
    except NoMessage as error:
        return RefusedCell(spec, error.what, failed=True)
    except NotPossible:
        raise
    except WrongUse as no:  # the mechanism has no such pattern or option: the others go on
        misunderstood.append(no)
        return RefusedCell(spec, no.what)
    except IpctuneError as error:  # it hung, crashed or changed a payload: the others go on
        return RefusedCell(spec, error.what, failed=True)
