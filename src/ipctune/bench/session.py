"""One run of `ipctune bench`: the curve, then the cells, within a budget; Ctrl-C keeps what is there."""

import dataclasses
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ipctune.bench import curve, matrix
from ipctune.bench.block import Block
from ipctune.bench.cells import (
    FULL_SIZES,
    by_weight,
    chosen,
    option_names,
    patterns_of,
    place,
    specs,
    variants,
    with_options,
)
from ipctune.bench.core import MechanismInfo, mechanisms
from ipctune.bench.floor import with_floor
from ipctune.bench.limits import TAKES_S, Limits, limits
from ipctune.bench.machine import VERSION, Here
from ipctune.bench.matrix import BenchResult, Measured, Plan, RefusedCell
from ipctune.bench.partial import Begun, Partial
from ipctune.bench.predict import WakeCost, wake_cost
from ipctune.bench.request import DEFAULT_S, QUICK_S, Request
from ipctune.bench.spec import PATTERNS, Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = ["DEFAULT_S", "QUICK_S", "Request", "Session", "go_on", "prepare"]

_POINTS = len(curve.GAPS_NS) + 1
_USUAL = PATTERNS[:2]
_USUAL_SIZES = (64, 4 << 10)
MOST_CELLS = 8000
"""More than an hour of measuring; so that a run can be saved."""
_WITH_HISTOGRAMS = 1000
"""Rows that are saved with all their latencies; of more, quantiles alone."""


@dataclass(frozen=True, slots=True)
class Session:
    """What is about to be measured: `steps` ticks of progress and about `estimate_s` seconds."""

    request: Request
    plan: Plan
    curve_cpus: tuple[int, int] | None
    before: Partial | None = None

    @property
    def steps(self) -> int:
        """How often `run` calls `tick`, about as often where the time decides."""
        done = self.before.measured.count if self.before else 0
        return max(1, self.plan.blocks - done) + (_POINTS if self._curve_is_due else 0)

    @property
    def estimate_s(self) -> float:
        """Seconds, within a tenth or so."""
        done = self.before.measured.spent_s if self.before else 0.0
        return max(0.0, self.plan.estimate_s - done) + TAKES_S + (_curve_s() if self._curve_is_due else 0.0)

    @property
    def _curve_is_due(self) -> bool:
        return self.curve_cpus is not None and (self.before is None or self.before.wake is None)

    def begun(self, here: Here) -> Begun:
        """What is put down of it before its first block."""
        started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Begun(started, self.request, self.plan, self.curve_cpus, here)

    def run(
        self,
        *,
        core: str | Path | None = None,
        tick: Callable[[], None] = lambda: None,
        partial: Partial | None = None,
        machine: dict[str, str] | None = None,
    ) -> BenchResult:
        """Measure; each block is kept in `partial`. After KeyboardInterrupt the result says so and holds what there is.

        `machine` is what `bench.machine` says of it. Raises what `bench.core.run` raises, except what is about
        single cells.
        """
        partial = partial or self.before
        started, begin = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), time.monotonic()
        measured = partial.measured if partial else Measured()
        done_s = measured.spent_s
        wake = partial.wake if partial else None
        found: Limits | None = None
        interrupted = False
        try:
            if self._curve_is_due:
                wake = self._curve(core, tick)
                if partial is not None:
                    partial.keep_wake(wake)
            deadline = None if self.plan.staged else begin + 1.15 * self.estimate_s
            seed = self.request.seed
            keep = _nowhere if partial is None else partial.keep
            matrix.measure(self.plan, seed, measured, core=core, tick=tick, deadline=deadline, keep=keep)
            found = self._limits(core)
        except KeyboardInterrupt:
            interrupted = True
        return self._result(
            measured,
            started=partial.begun.started if partial else started,
            seconds=done_s + time.monotonic() - begin,
            wake=wake,
            limits=found,
            interrupted=interrupted,
            machine=machine or {},
        )

    def _result(self, measured: Measured, *, machine: dict[str, str], **known: Any) -> BenchResult:
        rows = measured.rows()
        if len(rows) > _WITH_HISTOGRAMS:
            rows = tuple(dataclasses.replace(row, histogram=()) for row in rows)
        return BenchResult(
            seed=self.request.seed,
            kernel=os.uname().release,
            vcpus=os.cpu_count() or 1,
            rows=tuple(with_floor(row, known["limits"]) for row in rows),
            refused=tuple(measured.refused.values()),
            failed=tuple(measured.failed.values()),
            planned_blocks=max(self.plan.blocks, measured.count),
            unreached=measured.unreached(self.plan.cells),
            machine=machine,
            version=machine.get(VERSION, ""),
            **known,
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


def _nowhere(_found: Block | RefusedCell, _at: float) -> None:
    """Where nothing can be kept."""


def prepare(request: Request, *, core: str | Path | None = None) -> Session:
    """Plan a run. Raises WrongUse for what the core doesn't know, NotPossible without a core or vCPU."""
    where = place(os.sched_getaffinity(0), request.placements)
    curve_cpus = _curve_cpus(request, where)
    if request.curve_only:
        return Session(request, Plan((), 0, 0.0), curve_cpus)
    infos = chosen(mechanisms(core=core), request.mechanisms)
    cells = _cells(request, infos, where)
    if len(cells) > MOST_CELLS:
        raise WrongUse(f"{len(cells)} cells; {MOST_CELLS} at most", hint="fewer sizes, mechanisms or options")
    budget = None if request.seconds is None else max(1.0, request.seconds - (_curve_s() if curve_cpus else 0.0))
    if request.many:
        return Session(request, matrix.full_plan(by_weight(cells), budget), curve_cpus)
    return Session(request, matrix.make_plan(cells, DEFAULT_S if budget is None else budget), curve_cpus)


def go_on(before: Partial, seconds: float | None) -> Session:
    """What is left of a run that was stopped, for so many seconds more; None: for what it had left.

    Raises NotPossible where its time is used up.
    """
    begun, spent = before.begun, before.measured.spent_s
    plan = begun.plan
    if seconds is not None:
        plan = dataclasses.replace(plan, budget_s=spent + seconds)
    elif plan.budget_s is not None and plan.budget_s - spent < matrix.ROUNDS * (plan.block_s + matrix.OVERHEAD_S):
        raise NotPossible(f"the time of {before.name} is used up", hint="--time 5m gives it more")
    return Session(begun.request, plan, begun.curve_cpus, before)


def _curve_s() -> float:
    return _POINTS * (curve.BLOCK_S + matrix.OVERHEAD_S)


def _curve_cpus(request: Request, where: dict[str, tuple[int, int]]) -> tuple[int, int] | None:
    """The two vCPUs of the curve, or None where it has no place in this run."""
    narrowed = request.mechanisms or request.patterns or request.placements or (request.many and not request.full)
    if narrowed and not request.curve_only:
        return None
    pairs = [pair for pair in where.values() if min(pair) >= 0 and pair[0] != pair[1]]
    if not pairs and request.curve_only:
        raise NotPossible("the wake-cost curve needs two vCPUs", hint="--cpus A,B names them")
    return pairs[0] if pairs else None


def _cells(request: Request, infos: tuple[MechanismInfo, ...], where: dict[str, tuple[int, int]]) -> tuple[Spec, ...]:
    """All that was asked for; the quick run streams in one placement only, across where it can."""
    _check(request, infos)
    cells = dict.fromkeys(cell for info in infos for cell in _of_mechanism(request, info, where))
    _all_fit(request, infos, cells)
    one = where["across"] if "across" in where else next(iter(where.values()))
    return tuple(cell for cell in cells if not request.quick or cell.pattern != "stream" or cell.cpus == one)


def _of_mechanism(request: Request, info: MechanismInfo, where: dict[str, tuple[int, int]]) -> Iterator[Spec]:
    """Every size, pattern and placement; options that nobody asked for with the usual sizes and patterns alone."""
    sizes = request.sizes or (FULL_SIZES if request.full else (64,))
    patterns = request.patterns or (PATTERNS if request.full else _USUAL)
    for changes in variants(info, dict(request.options), known=request.full):
        narrow = bool(changes) and not request.options
        for size in sizes if request.sizes or not narrow else _USUAL_SIZES:
            some = patterns if request.patterns or not narrow else _USUAL
            yield from with_options(specs((info,), where, some, size=size, rate=request.rate), changes)


def _all_fit(request: Request, infos: tuple[MechanismInfo, ...], cells: Collection[Spec]) -> None:
    """Raises WrongUse for an option with which there is no cell: none of the patterns goes with its value."""
    wanted = [changes for info in infos for changes in variants(info, dict(request.options), known=False)]
    for changes in wanted:
        if not any(all(getattr(cell, name) == value for name, value in changes.items()) for cell in cells):
            told = ", ".join(f"{name}={value}" for name, value in changes.items())
            raise WrongUse(f"no cell can have {told}", hint="it goes with another pattern, or lies out of range")


def _check(request: Request, infos: tuple[MechanismInfo, ...]) -> None:
    """Raises WrongUse for a pattern or option that none of the mechanisms has."""
    can = {pattern for info in infos for pattern in patterns_of(info, request.rate)}
    for pattern in request.patterns:
        if pattern in can:
            continue
        if pattern == "stream":
            raise WrongUse("as fast as it goes these lose messages of a stream", hint="--rate N gives them time")
        raise WrongUse(f"none of these mechanisms has the pattern {pattern}", hint=f"there are {', '.join(can)}")
    known = option_names(infos)
    for name, _ in request.options:
        if name not in known:
            raise WrongUse(f"no such option: {name}", hint=f"there are {', '.join(known)}")
