"""Causes, each by taking it away from the workload and measuring what is left.

Nothing on the machine is written: each difference is made in the workload's own processes.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ipctune.bench.block import Block
from ipctune.bench.core import Refused, run
from ipctune.bench.spec import Spec
from ipctune.host.model import Host
from ipctune.host.polltime import halts
from ipctune.judge.confirm import confirm
from ipctune.judge.flips import pairs_of
from ipctune.judge.order import pair_orders
from ipctune.knobs.model import Cause
from ipctune.tune.model import Bottleneck, Settings

__all__ = [
    "BLOCK_S",
    "OVERHEAD_S",
    "Difference",
    "block_of",
    "differences",
    "explain",
    "limit",
    "median",
    "time_of",
]

BLOCK_S = 0.25
OVERHEAD_S = 0.06
"""Seconds that a block takes beside its measured part: starting the core, its warm-up."""
_FIFO_RATE = 5000.0  # messages a second: a few per cent of a vCPU
_HALTS = 0.2  # halts a message below which nothing waits for a halted vCPU
_TITLES: Mapping[Cause, str] = {
    Cause.HALTED_WAKE: "waking a halted vCPU",
    Cause.FULL_QUEUE: "a full queue",
    Cause.COPYING: "copying",
    Cause.RUN_QUEUE: "run-queue wait",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One cause: the workload with it and without it, and what of a block tells the time."""

    cause: Cause
    present: Spec
    without: Spec
    figure: Callable[[Block], float]
    words: str


def differences(host: Host, settings: Settings) -> list[Difference]:
    """The causes that this workload can show on this machine, each with the workload that lacks it."""
    return [d for make in (_halted, _full, _copying, _queued) for d in make(host, settings)]


def time_of(block: Block) -> float:
    """Median latency; for a stream the time a message takes."""
    return block.p50_ns if block.p50_ns is not None else 1e9 / block.rate


def _mean(block: Block) -> float:
    """The mean: waiting behind others is rare and long, so the median does not show it."""
    return 1e9 / block.rate


def _mean_latency(block: Block) -> float:
    """The mean at a rate, where the time between two messages is given."""
    return time_of(block) if block.latency is None else block.latency.mean


def _halted(_host: Host, settings: Settings) -> Iterator[Difference]:
    """A stream as fast as it goes lets nobody halt: there the cause shows at the workload's rate."""
    spec = settings.spec
    if spec.placement != "across":
        return
    present = spec if spec.pattern == "ping-pong" else spec.replace(rate=settings.rate)
    one = present.replace(cpus=(spec.cpus[1], spec.cpus[1]))
    at = f" (at {settings.rate:,.6g}/s)" if present.rate else ""
    words = f"both sides on one vCPU, where nobody halts between them{at}"
    yield Difference(Cause.HALTED_WAKE, present, one, time_of, words)


def _full(host: Host, settings: Settings) -> Iterator[Difference]:
    spec = settings.spec
    if spec.pattern != "stream":
        return
    bigger = _bigger(host, spec)
    if bigger is not None:
        yield Difference(Cause.FULL_QUEUE, spec, bigger, time_of, "with a queue sixteen times as large")


def _bigger(host: Host, spec: Spec) -> Spec | None:
    """The same with room for more, inside what this machine allows without a write to it."""
    if spec.mechanism == "sysv-msg":
        present = spec.capacity or limit(host, "kernel.msgmnb", 16384)
        raised = str(max(present * 16, 1 << 20))
        return spec.replace(capacity=0, ipc_namespace="private", sysctls=(("kernel.msgmnb", raised),))
    if spec.mechanism == "pipe":
        room = limit(host, "fs.pipe-max-size", 1 << 20)
    elif spec.mechanism.startswith(("unix", "tcp")):
        room = limit(host, "net.core.wmem_max", 212992)
    else:
        return None
    present = spec.capacity or 65536
    wanted = min(room, present * 16)
    return spec.replace(capacity=wanted) if wanted > present else None


def limit(host: Host, name: str, default: int) -> int:
    limit = host.limits.get(name)
    return default if limit is None or limit.value is None else limit.value


def _copying(_host: Host, settings: Settings) -> Iterator[Difference]:
    spec = settings.spec
    if spec.size > 1 and spec.pattern == "ping-pong":
        yield Difference(Cause.COPYING, spec, spec.replace(size=1), time_of, f"with 1 byte instead of {spec.size:,}")


def _queued(host: Host, settings: Settings) -> Iterator[Difference]:
    """SCHED_FIFO takes a vCPU from everybody else until it sleeps. A ping-pong across two vCPUs sleeps on both sides at
    each message; a stream as fast as it goes, and a pair on one vCPU, never do: those are measured at a rate."""
    spec = settings.spec
    if not host.privileges.has("CAP_SYS_NICE"):
        return
    words, figure = "with SCHED_FIFO, which waits for nobody", _mean
    if spec.pattern != "ping-pong" or spec.placement != "across":
        spec = spec.replace(rate=min(settings.rate, _FIFO_RATE))
        words, figure = f"{words} (at {spec.rate:,.6g}/s)", _mean_latency
    yield Difference(Cause.RUN_QUEUE, spec, spec.replace(policy="fifo"), figure, words)


def explain(
    difference: Difference,
    pairs: int,
    rng: random.Random,
    tick: Callable[[str], None],
    block: float = BLOCK_S,
    rest: float = 0.2,
) -> Bottleneck:
    """The share of the time that goes when the cause goes: pairs of blocks, their order drawn by lot."""
    title = _TITLES[difference.cause]
    present: list[float] = []
    without: list[float] = []
    halted: list[float | None] = []
    try:
        for order in pair_orders(rng, pairs):
            for arm in order:
                before = halts(difference.present.cpus)
                found = block_of(difference.present if arm == "A" else difference.without, rng, block, rest)
                (present if arm == "A" else without).append(difference.figure(found))
                if arm == "A":
                    halted.append(_halts_per_message(before, halts(difference.present.cpus), found))
            tick(title)
    except Refused as refused:
        return Bottleneck(difference.cause, title, None, None, None, (f"not looked at: {refused.what}",))
    estimate = confirm(pairs_of(present, without))
    words = _words(median(present), median(without), difference.words)
    explained = Bottleneck(
        difference.cause,
        title,
        max(0.0, -estimate.effect),
        -estimate.high if estimate.high is not None else None,
        -estimate.low if estimate.low is not None else None,
        (words,),
    )
    return _held_against_halts(explained, [h for h in halted if h is not None])


def _held_against_halts(found: Bottleneck, halted: list[float]) -> Bottleneck:
    """Across two vCPUs costs more for other reasons too: without halts it is not the halted wake."""
    if found.cause != Cause.HALTED_WAKE or not halted:
        return found
    rate = median(halted)
    part = min(1.0, rate) if rate >= _HALTS else 0.0
    so = "" if part == 1 else ", so the difference is not the halt's alone" if part else ": nothing waits for a halt"
    evidence = (*found.evidence, f"{rate:.1f} times a round trip a vCPU halted (cpuidle){so}")
    share, low, high = (None if x is None else x * part for x in (found.share, found.low, found.high))
    return replace(found, share=share, low=low, high=high, evidence=evidence)


def block_of(spec: Spec, rng: random.Random, seconds: float = BLOCK_S, rest: float = 0.2) -> Block:
    time.sleep(rest)
    return run(spec, seconds, rng.getrandbits(31))


def _words(with_ns: float, without_ns: float, difference: str) -> str:
    return f"{with_ns / 1000:.1f} µs a message; {without_ns / 1000:.1f} µs {difference}"


def median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _halts_per_message(before: int | None, after: int | None, block: Block) -> float | None:
    return None if before is None or after is None else (after - before) / block.messages
