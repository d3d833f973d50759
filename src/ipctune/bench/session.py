"""One run of `ipctune bench`: the curve, then the cells, within a budget; Ctrl-C keeps what is there."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ipctune.bench import curve, matrix
from ipctune.bench.core import MechanismInfo, mechanisms
from ipctune.bench.floor import with_floor
from ipctune.bench.limits import TAKES_S, Limits, limits
from ipctune.bench.matrix import BenchResult, Measured, Plan
from ipctune.bench.predict import WakeCost, wake_cost
from ipctune.bench.spec import PATTERNS, Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = ["DEFAULT_S", "QUICK_S", "Request", "Session", "prepare"]

QUICK_S = 13.0
DEFAULT_S = 60.0
_POINTS = len(curve.GAPS_NS) + 1


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; None and empty stand for everything that there is."""

    mechanisms: tuple[str, ...] = ()
    pattern: str | None = None
    size: int = 64
    cpus: str | None = None
    rate: float = 0.0
    seconds: float = DEFAULT_S
    quick: bool = False
    curve_only: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Session:
    """What is about to be measured: `steps` ticks of progress and about `estimate_s` seconds."""

    request: Request
    plan: Plan
    curve_cpus: tuple[int, int] | None

    @property
    def steps(self) -> int:
        """How often `run` calls `tick`."""
        return self.plan.blocks + (_POINTS if self.curve_cpus else 0)

    @property
    def estimate_s(self) -> float:
        """Seconds, within a tenth or so."""
        return self.plan.estimate_s + TAKES_S + (_curve_s() if self.curve_cpus else 0.0)

    def run(self, *, core: str | Path | None = None, tick: Callable[[], None] = lambda: None) -> BenchResult:
        """Measure. After KeyboardInterrupt the result holds what was measured and says so.

        Raises what `bench.core.run` raises, except what is about single cells.
        """
        started, begin = datetime.now(UTC), time.monotonic()
        measured = Measured()
        wake: WakeCost | None = None
        found: Limits | None = None
        interrupted = False
        try:
            wake = self._curve(core, tick)
            deadline = begin + 1.15 * self.estimate_s
            seed = self.request.seed
            matrix.measure(self.plan, seed, measured, core=core, tick=tick, deadline=deadline)
            found = self._limits(core)
        except KeyboardInterrupt:
            interrupted = True
        return BenchResult(
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=time.monotonic() - begin,
            seed=self.request.seed,
            kernel=os.uname().release,
            vcpus=os.cpu_count() or 1,
            rows=tuple(with_floor(row, found) for row in measured.rows()),
            refused=tuple(measured.refused.values()),
            failed=tuple(measured.failed.values()),
            wake=wake,
            limits=found,
            planned_blocks=self.plan.blocks,
            interrupted=interrupted,
        )

    def _limits(self, core: str | Path | None) -> Limits:
        """Between this run's vCPUs, with copies of its sizes. Where that fails, why: the rows don't go with it."""
        cells = self.plan.cells
        cpus = next((cell.cpus for cell in cells if cell.placement == "across"), self.curve_cpus)
        try:
            return limits(cpus=cpus, sizes={cell.size for cell in cells}, core=core)
        except IpctuneError as error:
            return Limits(unknown=error.what)

    def _curve(self, core: str | Path | None, tick: Callable[[], None]) -> WakeCost | None:
        if self.curve_cpus is None:
            return None
        found = curve.measure(self.curve_cpus, self.request.seed, core=core, tick=tick)
        rate = self.request.rate
        return wake_cost(found, (0.0, rate)) if rate else wake_cost(found)


def prepare(request: Request, *, core: str | Path | None = None) -> Session:
    """Plan a run. Raises WrongUse for what the core doesn't know, NotPossible without a core or vCPU."""
    allowed = os.sched_getaffinity(0)
    where = matrix.placements(allowed, request.cpus)
    curve_cpus = _curve_cpus(request, where)
    if request.curve_only:
        return Session(request, Plan((), 0, 0.0), curve_cpus)
    infos = _chosen(mechanisms(core=core), request.mechanisms)
    cells = _cells(request, infos, where)
    budget = request.seconds - (_curve_s() if curve_cpus else 0.0)
    return Session(request, matrix.make_plan(cells, max(budget, 1.0)), curve_cpus)


def _curve_s() -> float:
    return _POINTS * (curve.BLOCK_S + matrix.OVERHEAD_S)


def _curve_cpus(request: Request, where: dict[str, tuple[int, int]]) -> tuple[int, int] | None:
    """The two vCPUs of the curve, or None where it has no place in this run."""
    narrowed = request.mechanisms or request.pattern or request.cpus
    if narrowed and not request.curve_only:
        return None
    pairs = [pair for pair in where.values() if min(pair) >= 0 and pair[0] != pair[1]]
    if not pairs and request.curve_only:
        raise NotPossible("the wake-cost curve needs two vCPUs", hint="--cpus A,B names them")
    return pairs[0] if pairs else None


def _chosen(known: tuple[MechanismInfo, ...], asked: tuple[str, ...]) -> tuple[MechanismInfo, ...]:
    names = [info.name for info in known]
    for name in asked:
        if name not in names:
            raise WrongUse(f"no such mechanism: {name}", hint=f"there are {', '.join(names)}")
    return tuple(info for info in known if not asked or info.name in asked)


def _cells(request: Request, infos: tuple[MechanismInfo, ...], where: dict[str, tuple[int, int]]) -> tuple[Spec, ...]:
    """All that was asked for; the quick run streams in one placement only, across where it can."""
    chosen = (request.pattern,) if request.pattern else PATTERNS
    size, rate = request.size, request.rate
    cells = matrix.specs(infos, where, chosen, size=size, rate=rate)
    if not request.quick:
        return cells
    one = "across" if "across" in where else next(iter(where))
    return tuple(c for c in cells if c.pattern != "stream" or c.cpus == where[one])
