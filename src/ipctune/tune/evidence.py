"""Name the bottleneck: the wake-cost curve, what each cause explains, and what programs themselves can do about it."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ipctune.bench.curve import Curve, knee, predict, suggest_poll_ns
from ipctune.bench.curve import measure as measure_curve
from ipctune.bench.spec import Spec
from ipctune.host.model import Host
from ipctune.host.polltime import halts
from ipctune.knobs.model import Cause
from ipctune.tune.causes import (
    BLOCK_S,
    OVERHEAD_S,
    Difference,
    block_of,
    differences,
    explain,
    limit,
    median,
    time_of,
)
from ipctune.tune.model import Advice, Bottleneck, Goal, Settings

__all__ = [
    "LEAST_SHARE",
    "NONE",
    "UNKNOWN",
    "Evidence",
    "gather",
    "name_bottleneck",
    "sure_causes",
    "wake_curve",
    "worth_trying",
]

LEAST_SHARE = 0.10
"""A cause that explains less of the time than this is not called the bottleneck."""
NONE = "none"
"""What is said where no cause explains that much."""
UNKNOWN = "unknown"
"""… and where nothing tells how much the causes explain."""
_SHORTEST = 0.04
_LEAST_PAIRS = 6
_MORE_PAIRS = 24  # where six or ten left it open, and nothing else would use the time


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was measured before anything is tried; `notes` are about a workload of the user's."""

    bottlenecks: tuple[Bottleneck, ...]
    bottleneck: str
    curve: Curve | None
    hints: dict[str, str]
    p50_ns: float | None
    advice: tuple[Advice, ...] = ()
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def gather(host: Host, settings: Settings, seconds: float, tick: Callable[[str], None]) -> Evidence:
    """Measure the curve and every difference that this workload can show, in about `seconds`.

    Where no cause is named, nothing will be tried, and the time of the trials goes to what is still open.
    """
    rng = random.Random(settings.seed)
    end = time.monotonic() + seconds
    curve = wake_curve(host, rng, min(BLOCK_S, seconds / 40), tick)
    shown = differences(host, settings)
    each = max(0.0, end - time.monotonic()) / max(1, len(shown))
    pairs = max(_LEAST_PAIRS, min(10, int(each / (2 * (BLOCK_S + settings.rest + OVERHEAD_S)))))
    block = max(_SHORTEST, min(BLOCK_S, each / (2 * pairs) - settings.rest - OVERHEAD_S))
    found = {d.cause: explain(d, pairs, rng, tick, block, settings.rest) for d in shown}
    if name_bottleneck(tuple(found.values())) == NONE and not settings.only:
        for d in _open(shown, found, settings.seconds / 2, block + settings.rest + OVERHEAD_S):
            found[d.cause] = explain(d, _MORE_PAIRS, rng, tick, block, settings.rest)
    causes = tuple(sorted(_awake(found.values(), curve), key=lambda b: -(b.share or 0.0)))
    p50 = curve.points[0].p50_ns if curve else None
    named = name_bottleneck(causes)
    advice = tuple(_advise(named, causes, settings.spec, rng, tick))
    return Evidence(causes, named, curve, _hints(host, settings, curve), p50, advice, _unseen(host, settings.spec))


def _open(
    shown: Sequence[Difference], found: Mapping[Cause, Bottleneck], seconds: float, each: float
) -> list[Difference]:
    """Causes that more pairs may settle, the least settled first, as many as fit into the time."""
    loose = [d for d in shown if (high := found[d.cause].high) is None or high >= LEAST_SHARE]
    loose.sort(key=lambda d: -(found[d.cause].high or 1.0))
    return loose[: int(seconds / (2 * _MORE_PAIRS * each))]


def _awake(causes: Iterable[Bottleneck], curve: Curve | None) -> Iterator[Bottleneck]:
    """Without cpuidle nobody counts halts: where the curve shows that no gap is slow, no vCPU has to be woken."""
    awake = halts() is None and curve is not None and knee(curve).kind == "awake"
    for cause in causes:
        if awake and cause.cause == Cause.HALTED_WAKE:
            yield replace(
                cause, share=0.0, low=0.0, high=0.0, evidence=(*cause.evidence, "no idle gap makes it slower")
            )
        else:
            yield cause


def _unseen(host: Host, spec: Spec) -> tuple[str, ...]:
    """Causes that could not be looked at here, and why."""
    found = []
    if len(host.cpus.allowed) < 2:
        found.append("waking a halted vCPU (there is one vCPU: everything shares it)")
    elif spec.placement != "across":
        found.append("waking a halted vCPU (the workload is not pinned to two vCPUs)")
    if not host.privileges.has("CAP_SYS_NICE"):
        found.append("run-queue wait (needs root: SCHED_FIFO)")
    return tuple(found)


def name_bottleneck(causes: Sequence[Bottleneck]) -> str:
    """The cause that surely explains most, or `none`."""
    return next(iter(sure_causes(causes)), NONE)


def sure_causes(causes: Sequence[Bottleneck]) -> tuple[str, ...]:
    """The causes that surely explain enough to be named, the largest first."""
    sure = [b for b in causes if b.low is not None and b.low >= LEAST_SHARE]
    return tuple(b.cause for b in sorted(sure, key=lambda b: -(b.share or 0.0)))


def worth_trying(bottleneck: str, causes: Sequence[Bottleneck]) -> tuple[str, ...]:
    """The causes that a setting is tried against, the likeliest first; of an unknown share a trial alone can tell."""
    open_still = [b.cause for b in causes if bottleneck == UNKNOWN and b.share is None]
    return tuple(dict.fromkeys((bottleneck, *sure_causes(causes), *open_still)))


def wake_curve(host: Host, rng: random.Random, block: float, tick: Callable[[str], None]) -> Curve | None:
    if len(host.cpus.allowed) < 2:
        return None
    cpus = (host.cpus.allowed[0], host.cpus.allowed[1])
    return measure_curve(cpus, rng.getrandbits(31), seconds=block, tick=lambda: tick("wake-cost curve"))


def _advise(
    named: str, causes: Sequence[Bottleneck], spec: Spec, rng: random.Random, tick: Callable[[str], None]
) -> Iterator[Advice]:
    """What the programs themselves can do about it, with what was measured."""
    evidence = next((b.evidence[0] for b in causes if b.cause == named), "")
    if named == Cause.RUN_QUEUE:
        yield Advice(
            "others run on the same vCPUs: give the talkers a vCPU of their own, or a higher priority", evidence
        )
    if named == Cause.COPYING and not spec.mechanism.startswith("memfd"):
        shared = spec.replace(mechanism="memfd-futex", capacity=0, sysctls=())
        taken = [(time_of(block_of(spec, rng)), time_of(block_of(shared, rng))) for _ in range(3)]
        tick("shared memory instead")
        figure = (
            f"{median([a for a, _ in taken]) / 1000:.1f} -> {median([b for _, b in taken]) / 1000:.1f} µs a message"
        )
        yield Advice(f"pass messages of {spec.size:,} bytes through shared memory (memfd + futex)", figure)


def _hints(host: Host, settings: Settings, curve: Curve | None) -> dict[str, str]:
    spec = settings.spec
    hints = {"mechanism": spec.mechanism, "pattern": spec.pattern, "size": str(spec.size)}
    if spec.cpus[1] >= 0:
        hints["consumer_cpu"] = str(spec.cpus[1])
    room = limit(host, "net.core.wmem_max", 212992)
    hints["socket_buffer"] = str(room)
    if curve is None or knee(curve).kind == "awake":
        return hints
    poll_ns = suggest_poll_ns(curve, settings.rate)
    if poll_ns is not None and _affordable(curve, poll_ns, settings):
        hints["poll_ns"] = str(poll_ns)
    return hints


def _affordable(curve: Curve, poll_ns: int, settings: Settings) -> bool:
    """Whether the polling foretold at the user's rate stays within the bound, where the goal has one."""
    if settings.goal is not Goal.BALANCED:
        return True
    return predict(curve, curve.awake_ns, poll_ns, settings.rate).polling_vcpus <= settings.max_cpu
