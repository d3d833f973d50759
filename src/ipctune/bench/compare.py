"""Two saved runs held against each other, cell by cell: after an upgrade, or on two machines.

Their blocks are no pairs. What an interval can't know is how the machine's level differed between the two times; it is
widened by how far the level moved within each run (`judge.unpaired`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import median

from ipctune.bench.machine import VERSION
from ipctune.bench.matrix import BenchResult
from ipctune.bench.row import Row
from ipctune.bench.spec import FREE, Spec
from ipctune.judge import flips, unpaired
from ipctune.judge.flips import Interval
from ipctune.judge.sequential import word_of
from ipctune.judge.verdict import Word

__all__ = ["ALPHA", "LEAST", "SAME", "Change", "Comparison", "Difference", "Overall", "RunSummary", "compare"]

ALPHA = 0.05
"""Chance that a comparison of equal runs calls any cell better or worse, all cells together."""
LEAST = 0.05
"""The least change that is called one: between two times a machine differs by some per cent from itself."""
SAME = 0.10
"""An interval within that is called no difference."""
DISTURBED = 0.20
"""Share of spoiled blocks by which two runs may differ: beyond, it is others' doing that would be compared."""
_FEW = 20
_MOST_CELLS = 60
"""Cells of the comparison of all: of more, neighbours are put together."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One of the two runs. `wander` is how far its level moved, as a fraction; None with too few blocks to tell.

    `spoiled` blocks met others' CPU time or steal.
    """

    name: str
    started: str
    version: str
    kernel: str
    vcpus: int
    cells: int
    blocks: int
    spoiled: int
    interrupted: bool
    wander: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact of the two machines that is not the same; None is unknown."""

    name: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One cell in both runs. `a` and `b` are p50 in ns, or messages a second where `kind` is None.

    `ratio` is B over A with its interval, None being no bound; better and worse are about the cell, so more messages
    are better. `why` says why nothing can be decided.
    """

    spec: Spec
    placement: str
    kind: str | None
    a: float
    b: float
    blocks: tuple[int, int]
    ratio: float
    low: float | None
    high: float | None
    word: Word
    why: str
    cpu_ns_per_message: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Overall:
    """All cells together: what B takes over what A takes, at the median cell; above 1 is worse."""

    cells: int
    ratio: float
    low: float | None
    high: float | None
    word: Word


@dataclass(frozen=True, slots=True)
class Comparison:
    """B held against A. `family` is the number of comparisons that share `alpha`."""

    a: RunSummary
    b: RunSummary
    differences: tuple[Difference, ...]
    cells: tuple[Change, ...]
    overall: Overall | None
    only_a: tuple[Spec, ...]
    only_b: tuple[Spec, ...]
    family: int
    alpha: float = ALPHA
    schema: int = 1

    @property
    def worse(self) -> int:
        """How many cells got worse."""
        return sum(cell.word is Word.WORSE for cell in self.cells)

    @property
    def is_worse(self) -> bool:
        """Whether anything did."""
        return self.worse > 0 or (self.overall is not None and self.overall.word is Word.WORSE)


def compare(first: BenchResult, second: BenchResult, names: tuple[str, str] = ("A", "B")) -> Comparison:
    """Hold the second run against the first. Cells are the same where all but the numbers of the vCPUs is."""
    old, new = _by_cell(first.rows), _by_cell(second.rows)
    both = [key for key in old if key in new and old[key].kind == new[key].kind]
    moved = _wander(first), _wander(second)
    unlike = _unlike(first, second)
    family = len(both) + 1
    level = ALPHA / family
    return Comparison(
        a=_summary(first, names[0], moved[0]),
        b=_summary(second, names[1], moved[1]),
        differences=_differences(first, second),
        cells=tuple(_change(old[key], new[key], level, moved, unlike) for key in both),
        overall=_overall([(old[key], new[key]) for key in both], level, moved, unlike),
        only_a=tuple(row.spec for key, row in old.items() if key not in both),
        only_b=tuple(row.spec for key, row in new.items() if key not in both),
        family=family,
    )


def _by_cell(rows: Sequence[Row]) -> dict[tuple[Spec, str], Row]:
    return {(row.spec.replace(cpus=FREE), row.placement): row for row in rows}


def _summary(run: BenchResult, name: str, moved: float | None) -> RunSummary:
    return RunSummary(
        name=name,
        started=run.started,
        version=run.version,
        kernel=run.kernel,
        vcpus=run.vcpus,
        cells=len(run.rows),
        blocks=run.blocks,
        spoiled=run.spoiled,
        interrupted=run.interrupted,
        wander=None if moved is None else flips.as_fraction(moved),
    )


def _differences(first: BenchResult, second: BenchResult) -> tuple[Difference, ...]:
    a, b = _facts(first), _facts(second)
    return tuple(Difference(name, a.get(name), b.get(name)) for name in a | b if a.get(name) != b.get(name))


def _facts(run: BenchResult) -> dict[str, str]:
    """What a run of an older ipctune did not keep is taken from what it did."""
    kept: Mapping[str, str] = run.machine or {"kernel": run.kernel, "vCPUs": str(run.vcpus), VERSION: run.version}
    return {name: value for name, value in kept.items() if value}


def _wander(run: BenchResult) -> float | None:
    """Of all blocks in time's order, each beside the middle of its cell."""
    series: list[tuple[float, float]] = []
    for row in run.rows:
        up = 1 if row.kind else -1
        values = [up * log(figure) for _, figure in row.figures]
        series += [(at, values[own] - _of_others(values, own)) for own, (at, _) in enumerate(row.figures)]
    return unpaired.wander([moved for _, moved in sorted(series)])


def _of_others(values: Sequence[float], own: int) -> float:
    """The middle of the other blocks: where there are few, one that a block has a part in hides how far it lies off."""
    others = [*values[:own], *values[own + 1 :]] if len(values) <= _FEW else values
    return median(others) if others else values[own]


def _figures(row: Row) -> list[float]:
    return [log(figure) for _, figure in sorted(row.figures)]


def _middle(row: Row) -> float:
    return row.p50_ns.median if row.p50_ns else row.messages_per_second.median


def _unlike(first: BenchResult, second: BenchResult) -> str:
    """Why the two runs met different machines, as far as their blocks tell; empty where they did not."""
    shares = [run.spoiled / run.blocks if run.blocks else 0.0 for run in (first, second)]
    if abs(shares[0] - shares[1]) <= DISTURBED:
        return ""
    return f"others used the machine: {shares[0]:.0%} of the blocks were spoiled in A, {shares[1]:.0%} in B"


def _change(old: Row, new: Row, level: float, moved: tuple[float | None, float | None], unlike: str) -> Change:
    a, b = _figures(old), _figures(new)
    why = unlike or _too_few(len(a), len(b), level, moved)
    by = unpaired.shift(a, b) if a and b else log(_middle(new) / _middle(old))
    found = Interval(None, None)
    if not why:
        found = unpaired.widened(unpaired.interval(a, b, level), (moved[0] or 0.0) + (moved[1] or 0.0))
    return Change(
        spec=new.spec,
        placement=new.placement,
        kind=new.kind,
        a=_middle(old),
        b=_middle(new),
        blocks=(len(a), len(b)),
        ratio=1 + flips.as_fraction(by),
        low=_ratio(found.low),
        high=_ratio(found.high),
        word=word_of(found, flips.as_fraction(by), LEAST, SAME, new.kind is None),
        why=why,
        cpu_ns_per_message=(old.cpu_ns_per_message, new.cpu_ns_per_message),
    )


def _too_few(a: int, b: int, level: float, moved: tuple[float | None, float | None]) -> str:
    needed = unpaired.blocks_needed(level)
    if min(a, b) < needed:
        return f"too few blocks: {a} and {b}, {needed} would do"
    if None in moved:
        return "too few blocks in the run to tell how far the machine's own level moved"
    return ""


def _ratio(shift: float | None) -> float | None:
    fraction = flips.bound(shift)
    return None if fraction is None else 1 + fraction


def _overall(
    pairs: Sequence[tuple[Row, Row]], level: float, moved: tuple[float | None, float | None], unlike: str
) -> Overall | None:
    """Cells as pairs: with equal runs each is as likely to be higher in one as in the other."""
    if not pairs:
        return None
    d = [(1 if new.kind else -1) * log(_middle(new) / _middle(old)) for old, new in pairs]
    some = unpaired.grouped(d, _MOST_CELLS)
    centre = flips.location(some)
    found = Interval(None, None)
    if None not in moved and not unlike:
        found = unpaired.widened(flips.interval(some, level), (moved[0] or 0.0) + (moved[1] or 0.0))
    effect = flips.as_fraction(centre)
    word = word_of(found, effect, LEAST, SAME, False)
    return Overall(len(pairs), 1 + effect, _ratio(found.low), _ratio(found.high), word)
