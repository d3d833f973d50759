"""Name the bottleneck, by taking one thing away at a time from the workload and measuring what is left.

Nothing on the machine is written: each difference is made in the workload's own processes.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log

from ipctune.bench.block import Block
from ipctune.bench.core import Refused, run
from ipctune.bench.curve import Curve, knee, predict, suggest_poll_ns
from ipctune.bench.curve import measure as measure_curve
from ipctune.bench.spec import Spec
from ipctune.host.model import Host
from ipctune.host.polltime import halts
from ipctune.judge.confirm import confirm
from ipctune.knobs.model import Cause
from ipctune.tune.model import Advice, Bottleneck, Settings

__all__ = [
    "LEAST_SHARE",
    "Evidence",
    "differences",
    "explain",
    "gather",
    "halts",
    "name_bottleneck",
    "wake_curve",
]

LEAST_SHARE = 0.10
"""A cause that explains less of the time than this is not called the bottleneck."""
_BLOCK = 0.25
_REST = 0.05
_HALTS = 0.2  # halts a message below which nothing waits for a halted vCPU
_SHORTEST = 0.04
_OVERHEAD = 0.06  # seconds a block: starting the core, its warm-up
_LEAST_PAIRS = 6
_TITLES = {
    Cause.HALTED_WAKE: "waking a halted vCPU",
    Cause.FULL_QUEUE: "a full queue",
    Cause.COPYING: "copying",
    Cause.RUN_QUEUE: "run-queue wait",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was measured before anything is tried; `notes` are about a workload of the user's."""

    bottlenecks: tuple[Bottleneck, ...]
    bottleneck: str
    curve: Curve | None
    hints: dict[str, str]
    p50_ns: float | None
    advice: tuple[Advice, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Difference:
    """One cause: the workload without it, and what of a block tells the time."""

    cause: Cause
    without: Spec
    figure: Callable[[Block], float]
    words: str


def gather(host: Host, settings: Settings, seconds: float, tick: Callable[[str], None]) -> Evidence:
    """Measure the curve and every difference that this workload can show, in about `seconds`."""
    rng = random.Random(settings.seed)
    end = time.monotonic() + seconds
    curve = wake_curve(host, rng, min(_BLOCK, seconds / 40), tick)
    shown = differences(host, settings.spec)
    each = max(0.0, end - time.monotonic()) / max(1, len(shown))
    pairs = max(_LEAST_PAIRS, min(10, int(each / (2 * (_BLOCK + _REST + _OVERHEAD)))))
    block = max(_SHORTEST, min(_BLOCK, each / (2 * pairs) - _REST - _OVERHEAD))
    found = [explain(d, settings.spec, pairs, rng, tick, block) for d in shown]
    causes = tuple(sorted(found, key=lambda b: -(b.share or 0.0)))
    p50 = curve.points[0].p50_ns if curve else None
    named = name_bottleneck(causes)
    advice = tuple(_advise(named, causes, settings.spec, rng, tick))
    return Evidence(causes, named, curve, _hints(host, settings, curve), p50, advice)


def name_bottleneck(causes: Sequence[Bottleneck]) -> str:
    """The cause that surely explains most, or `none`."""
    sure = [b for b in causes if b.low is not None and b.low >= LEAST_SHARE]
    return max(sure, key=lambda b: b.share or 0.0).cause if sure else "none"


def wake_curve(host: Host, rng: random.Random, block: float, tick: Callable[[str], None]) -> Curve | None:
    if len(host.cpus.allowed) < 2:
        return None
    cpus = (host.cpus.allowed[0], host.cpus.allowed[1])
    return measure_curve(cpus, rng.getrandbits(31), seconds=block, tick=lambda: tick("wake-cost curve"))


def differences(host: Host, spec: Spec) -> list[_Difference]:
    """The causes that this workload can show on this machine, each with the workload that lacks it."""
    return [d for make in (_halted, _full, _copying, _queued) for d in make(host, spec)]


def _time(block: Block) -> float:
    """Median latency; for a stream the time a message takes."""
    return block.p50_ns if block.p50_ns is not None else 1e9 / block.rate


def _mean(block: Block) -> float:
    """The mean: waiting behind others is rare and long, so the median does not show it."""
    return 1e9 / block.rate


def _halted(_host: Host, spec: Spec) -> Iterator[_Difference]:
    if spec.placement == "across" and spec.pattern == "ping-pong":
        one = spec.replace(cpus=(spec.cpus[1], spec.cpus[1]))
        yield _Difference(Cause.HALTED_WAKE, one, _time, "both sides on one vCPU, where nobody halts between them")


def _full(host: Host, spec: Spec) -> Iterator[_Difference]:
    if spec.pattern != "stream":
        return
    bigger = _bigger(host, spec)
    if bigger is not None:
        yield _Difference(Cause.FULL_QUEUE, bigger, _time, "with a queue sixteen times as large")


def _bigger(host: Host, spec: Spec) -> Spec | None:
    """The same with room for more, inside what this machine allows without a write to it."""
    if spec.mechanism == "sysv-msg":
        present = spec.capacity or _limit(host, "kernel.msgmnb", 16384)
        raised = str(max(present * 16, 1 << 20))
        return spec.replace(capacity=0, ipc_namespace="private", sysctls=(("kernel.msgmnb", raised),))
    if spec.mechanism == "pipe":
        room = _limit(host, "fs.pipe-max-size", 1 << 20)
    elif spec.mechanism.startswith(("unix", "tcp")):
        room = _limit(host, "net.core.wmem_max", 212992)
    else:
        return None
    present = spec.capacity or 65536
    wanted = min(room, present * 16)
    return spec.replace(capacity=wanted) if wanted > present else None


def _limit(host: Host, name: str, default: int) -> int:
    limit = host.limits.get(name)
    return default if limit is None or limit.value is None else limit.value


def _copying(_host: Host, spec: Spec) -> Iterator[_Difference]:
    if spec.size > 1 and spec.pattern == "ping-pong":
        yield _Difference(Cause.COPYING, spec.replace(size=1), _time, f"with 1 byte instead of {spec.size:,}")


def _queued(host: Host, spec: Spec) -> Iterator[_Difference]:
    if host.privileges.has("CAP_SYS_NICE"):
        yield _Difference(
            Cause.RUN_QUEUE, spec.replace(policy="fifo"), _mean, "with SCHED_FIFO, which waits for nobody"
        )


def explain(
    difference: _Difference,
    spec: Spec,
    pairs: int,
    rng: random.Random,
    tick: Callable[[str], None],
    block: float = _BLOCK,
) -> Bottleneck:
    """The share of the time that goes when the cause goes."""
    title = _TITLES[difference.cause]
    ratios, with_it, without, halted = [], [], [], []
    before = halts()
    try:
        for _ in range(pairs):
            before = halts()
            a = _block(spec, rng, block)
            halted.append(_halts_per_message(before, halts(), a))
            b = _block(difference.without, rng, block)
            with_it.append(difference.figure(a))
            without.append(difference.figure(b))
            ratios.append(log(without[-1] / with_it[-1]))
            tick(title)
    except Refused as refused:
        return Bottleneck(difference.cause, title, None, None, None, (f"not looked at: {refused.what}",))
    estimate = confirm(ratios)
    words = _words(_middle(with_it), _middle(without), difference.words)
    found = Bottleneck(
        difference.cause,
        title,
        max(0.0, -estimate.effect),
        -estimate.high if estimate.high is not None else None,
        -estimate.low if estimate.low is not None else None,
        (words,),
    )
    return _held_against_halts(found, [h for h in halted if h is not None])


def _held_against_halts(found: Bottleneck, halted: list[float]) -> Bottleneck:
    """Across two vCPUs costs more for other reasons too: without halts it is not the halted wake."""
    if found.cause != Cause.HALTED_WAKE or not halted:
        return found
    rate = _middle(halted)
    part = min(1.0, rate) if rate >= _HALTS else 0.0
    so = "" if part == 1 else ", so the difference is not the halt's alone" if part else ": nothing waits for a halt"
    evidence = (*found.evidence, f"{rate:.1f} times a round trip a vCPU halted (cpuidle){so}")
    share, low, high = (None if x is None else x * part for x in (found.share, found.low, found.high))
    return replace(found, share=share, low=low, high=high, evidence=evidence)


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
        taken = [(_time(_block(spec, rng)), _time(_block(shared, rng))) for _ in range(3)]
        tick("shared memory instead")
        figure = (
            f"{_middle([a for a, _ in taken]) / 1000:.1f} -> {_middle([b for _, b in taken]) / 1000:.1f} µs a message"
        )
        yield Advice(f"pass messages of {spec.size:,} bytes through shared memory (memfd + futex)", figure)


def _block(spec: Spec, rng: random.Random, seconds: float = _BLOCK) -> Block:
    time.sleep(_REST)
    return run(spec, seconds, rng.getrandbits(31))


def _words(with_ns: float, without_ns: float, difference: str) -> str:
    return f"{with_ns / 1000:.1f} µs a message; {without_ns / 1000:.1f} µs {difference}"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _halts_per_message(before: int | None, after: int | None, block: Block) -> float | None:
    return None if before is None or after is None else (after - before) / block.messages


def _hints(host: Host, settings: Settings, curve: Curve | None) -> dict[str, str]:
    spec = settings.spec
    hints = {"mechanism": spec.mechanism, "pattern": spec.pattern, "size": str(spec.size)}
    if spec.cpus[1] >= 0:
        hints["consumer_cpu"] = str(spec.cpus[1])
    room = _limit(host, "net.core.wmem_max", 212992)
    hints["socket_buffer"] = str(room)
    if curve is None or knee(curve).kind == "awake":
        return hints
    poll_ns = suggest_poll_ns(curve, settings.rate)
    if poll_ns is not None and _affordable(curve, poll_ns, settings):
        hints["poll_ns"] = str(poll_ns)
    return hints


def _affordable(curve: Curve, poll_ns: int, settings: Settings) -> bool:
    """Whether the polling foretold at the user's rate stays within the bound."""
    return predict(curve, curve.awake_ns, poll_ns, settings.rate).polling_vcpus <= settings.max_cpu
