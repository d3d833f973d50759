"""How far a workload of the user's is exposed to halted vCPUs: seen from outside, as nothing can be taken out of it.

A run's own figures first; then the built-in pair tells what waking a halted vCPU costs here, and cpuidle how often one
halts while the workload runs. Together they bound what a lever against the halted wake can gain.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ipctune.bench.curve import Curve, knee, suggest_poll_ns
from ipctune.host.model import Host
from ipctune.host.polltime import halts
from ipctune.knobs.model import Cause
from ipctune.tune.attached import Attached
from ipctune.tune.evidence import NONE, UNKNOWN, Evidence, wake_curve
from ipctune.tune.measure import measured
from ipctune.tune.model import Bottleneck, Settings
from ipctune.tune.point import Point, load_of, points_of
from ipctune.workload.command import Command
from ipctune.workload.model import Sample, Workload

__all__ = ["LEAST_BOUND", "watch"]

LEAST_BOUND = 0.01
"""Less than this of its time can't be gained, and no verdict calls less an effect."""
_LEAST_RUNS, _MOST_RUNS = 2, 5
_BLOCK = 0.25
_UNSEEN = ("full queues, copying, run-queue wait (nothing can be taken out of a workload of yours)",)
_WAKES = 2  # in a round trip: each side is woken once


@dataclass(frozen=True, slots=True)
class _Run:
    """One sample, the seconds that it took with all around it, and halts a second: in it, and before, at rest."""

    sample: Sample
    took: float
    halts: float | None
    at_rest: float | None


def watch(
    host: Host, settings: Settings, workload: Workload, seconds: float, tick: Callable[[str], None]
) -> tuple[Settings, Evidence]:
    """Look at the workload for about `seconds`. The settings that come back know how long a run of a command takes.

    Raises what the workload raises: a first run that fails ends everything before anything is set.
    """
    rng = random.Random(settings.seed)
    end = time.monotonic() + seconds
    points = points_of(settings, workload)
    runs = [[_run(point, settings, rng, tick)] for point in points]
    curve = wake_curve(host, rng, min(_BLOCK, seconds / 40), tick)
    took = sum(found[0].took for found in runs)
    while (n := len(runs[0])) < _MOST_RUNS and (n < _LEAST_RUNS or time.monotonic() + took < end):
        for point, found in zip(points, runs, strict=True):
            found.append(_run(point, settings, rng, tick))
    # A block's true length: a command runs as long as it does, and clients of a server take time to start.
    each = [statistics.median(run.took for run in found) for found in runs]
    if settings.command is not None:
        settings = replace(settings, block=each[0])
    else:
        settings = replace(settings, block=max(settings.block, statistics.mean(each) - settings.rest))
    exposed = max(
        (_exposed(found, curve, live=load_of(p).live) for p, found in zip(points, runs, strict=True)),
        key=lambda b: b.high or 0.0,
    )
    notes = tuple(_note(point, found) for point, found in zip(points, runs, strict=True))
    if isinstance(workload, Command | Attached):
        notes += workload.notes
    p50 = curve.points[0].p50_ns if curve else None
    return settings, Evidence((exposed,), _named(exposed), curve, _hints(curve), p50, unseen=_UNSEEN, notes=notes)


def _named(exposed: Bottleneck) -> str:
    """A share that nothing tells is no bottleneck, and its absence not shown either."""
    if exposed.high is None:
        return UNKNOWN
    return exposed.cause if exposed.high >= LEAST_BOUND else NONE


def _run(point: Point, settings: Settings, rng: random.Random, tick: Callable[[str], None]) -> _Run:
    before, start = halts(), time.monotonic()
    time.sleep(settings.rest)
    between, begin = halts(), time.monotonic()
    sample = measured(point, settings.block, rng.getrandbits(31))
    after, done = halts(), time.monotonic()
    tick(f"a run {load_of(point).name}".strip())
    own = None if sample.halts is None else sample.halts / sample.seconds
    return _Run(
        sample,
        done - begin,
        own if own is not None else _rate(between, after, done - begin),
        _rate(before, between, begin - start),
    )


def _rate(before: int | None, after: int | None, seconds: float) -> float | None:
    return None if before is None or after is None or seconds <= 0 else (after - before) / seconds


def _exposed(runs: Sequence[_Run], curve: Curve | None, *, live: bool) -> Bottleneck:
    """Halts a second times what one costs; a bound, as halts that nobody waits for count too.

    A `live` service is never at rest: none are taken off.
    """
    known = [max(0.0, run.halts - (0.0 if live else run.at_rest or 0.0)) for run in runs if run.halts is not None]
    title = "waking a halted vCPU"
    if curve is None:
        return Bottleneck(Cause.HALTED_WAKE, title, 0.0, None, 0.0, ("one vCPU: nobody waits for another to wake",))
    cost = _cost_ns(curve)
    if not known:
        why = f"no cpuidle driver tells how often a vCPU halts here; waking one costs about {cost / 1000:.0f} µs"
        return Bottleneck(Cause.HALTED_WAKE, title, None, None, None, (why,))
    rate = statistics.median(known)
    bound = min(1.0, rate * cost / 1e9)
    why = (
        f"{rate:,.0f} times a second a vCPU halts while it runs (cpuidle; those at rest taken off); waking one costs "
        f"about {cost / 1000:.0f} µs (measured with a pair of processes)"
    )
    return Bottleneck(Cause.HALTED_WAKE, title, bound, None, bound, (why,))


def _cost_ns(curve: Curve) -> float:
    """What a halted vCPU adds to a wake-up: the slowest round trip after a pause of up to 1 ms, less the awake one."""
    if knee(curve).kind == "awake":
        return 0.0
    slow = max(point.p50_ns for point in curve.points if point.gap_ns <= 1_000_000)
    return max(0.0, slow - curve.awake_ns) / _WAKES


def _note(point: Point, runs: Sequence[_Run]) -> str:
    """The workload as it is: its figure with the range over the runs, how long one takes and what it costs."""
    figures = sorted(run.sample.figure for run in runs)
    seconds = statistics.median(run.sample.seconds for run in runs)
    price = sum(run.sample.price_ns for run in runs) / sum(run.sample.seconds for run in runs) / 1e9
    metric = load_of(point).metric
    if metric is None:
        what, unit, values = load_of(point).name, " µs", [_text(value / 1000) for value in figures]
    else:
        better = "higher" if metric.higher_is_better else "lower"
        what, unit, values = f"{metric.name} ({better} is better)", "", [_text(value) for value in figures]
    middle = values[len(values) // 2]
    spread = f" ({values[0]} … {values[-1]})" if len(values) > 1 else ""
    return f"{what}: {middle}{unit}{spread} in {len(runs)} runs of {seconds:.2g} s, {price:.2f} vCPU"


def _text(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e12 else f"{value:.4g}"


def _hints(curve: Curve | None) -> dict[str, str]:
    """Nothing is known of how it talks; a polling time comes from the curve alone."""
    hints = {"mechanism": "own", "pattern": "own"}
    if curve is not None and (poll_ns := suggest_poll_ns(curve)) is not None:
        hints["poll_ns"] = str(poll_ns)
    return hints
