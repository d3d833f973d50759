"""Is it IPC? The ceiling of what waking faster could save, and which cause of waiting is largest. Pure functions."""

import math
from collections.abc import Sequence

from ipctune.host.model_watch import Ceiling, Rates, WaitCause, Waiting, Watch
from ipctune.host.rates import FULL

__all__ = ["DISK_MS", "IDLE_BUSY", "IDLE_WAKES", "NAMES", "WORTH_MS", "amount", "ceiling", "judge"]

WORTH_MS = 10.0
"""Waiting in ms a second from which a lever can be felt: one per cent of each second, over all programs."""
IDLE_WAKES = 100.0
"""Wake-ups a second below which a machine is idle: the kernel's and a provider's own housekeeping makes tens."""
IDLE_BUSY = 0.1
"""vCPUs in use below which a machine is idle; ticks of 10 ms can't tell much less in a short window."""
STEAL_SHARE = 0.10
"""Steal as a share of the time that vCPUs wanted: what guides call too much; less is what shared hosting is."""
SWAP_PAGES = 50.0
"""Pages a second that come back from swap: a disk takes 0.1 to 10 ms for each, so programs surely wait for them."""
STALL_MS = 50.0
"""Waiting for anything, in ms a second, that counts at all: five per cent of the time, and more than ticks err by."""
DISK_MS = 250.0
"""… for a disk: a good part of each second. PSI counts every moment in which one thread waits for one, whichever: a log
or a journal that is written now and then makes some tens of ms on a machine whose programs nothing holds back. What
waits for a disk from one request to the next waits most of each second."""
WAIT_SHARE = 0.05
"""Run-queue wait as a share of the time that programs ran: a large machine waits some ms somewhere at any time."""
FULL_PART = 0.25
"""Part of the vCPUs that has to be full: one busy program on many vCPUs leaves the rest of the machine to talk."""
_SWAP_PART = 0.5  # part of a disk's bytes from which its waiting is swap's


def ceiling(rates: Rates, halted_ns: float | None, awake_ns: float | None, unknown: str = "") -> Ceiling:
    """The most that all levers together could save: every wake-up of a halted vCPU as cheap as one that is awake.

    `halted_ns` and `awake_ns` are a hop's cost as measured here; `unknown` says why they were not.
    """
    if halted_ns is None or awake_ns is None:
        return Ceiling(rates.wakes, None, None, unknown or "not measured")
    hop = max(0.0, halted_ns - awake_ns)
    if rates.wakes is None:
        return Ceiling(None, halted_ns, awake_ns, "the kernel does not count wake-ups", hop)
    return Ceiling(rates.wakes, halted_ns, awake_ns, "", hop, rates.wakes * hop / 1e6)


def judge(rates: Rates, most: Ceiling) -> Watch:
    """Name the largest cause. Another one than IPC has to be over its bound, and larger than the ceiling."""
    causes = _causes(rates)
    over = [cause for cause in causes if cause.over]
    largest = max(over, key=lambda cause: math.inf if cause.ms is None else cause.ms, default=None)
    if largest is not None and _larger(largest, most):
        return Watch(rates, most, causes, largest.cause, _not_ipc(largest, over, most), stops=True)
    if _idle(rates) and largest is None:
        return Watch(rates, most, causes, WaitCause.IDLE, _idle_words(rates), stops=False)
    if _little(most):
        return Watch(rates, most, causes, WaitCause.NONE, _little_words(most), stops=False)
    return Watch(rates, most, causes, WaitCause.IPC, _worth_words(most), stops=False)


def _larger(cause: Waiting, most: Ceiling) -> bool:
    return cause.ms is None or most.waiting_ms is None or cause.ms > most.waiting_ms


def _idle(rates: Rates) -> bool:
    return rates.busy < IDLE_BUSY and (rates.wakes or 0.0) < IDLE_WAKES


def _little(most: Ceiling) -> bool:
    return (most.wakes or 0.0) < IDLE_WAKES if most.waiting_ms is None else most.waiting_ms < WORTH_MS


def _causes(rates: Rates) -> tuple[Waiting, ...]:
    """Every other cause, roots before what follows from them: swapping makes disks busy, a full vCPU makes queues."""
    swap, disk = _memory(rates)
    full, queue = _full(rates), _queue(rates)
    if full.over and queue.over:
        queue = Waiting(queue.cause, queue.ms, False, queue.words)
    return (_steal(rates), swap, disk, full, queue)


def _steal(rates: Rates) -> Waiting:
    ms, wanted = rates.steal_ms, 1000.0 * rates.busy + rates.steal_ms
    over = ms >= STALL_MS and ms >= STEAL_SHARE * wanted
    part = 100 * ms / wanted if wanted else 0.0
    words = f"the hypervisor gave {part:.0f} % of the time that vCPUs wanted to others"
    return Waiting(WaitCause.STEAL, ms, over, words)


def _memory(rates: Rates) -> tuple[Waiting, Waiting]:
    """Swap, and the disk without it."""
    pages = (rates.swap_in or 0.0) + (rates.swap_out or 0.0)
    moved = sum(disk.bytes for disk in rates.disks)
    memory, io = rates.stalled_ms("memory"), rates.stalled_ms("io")
    io = rates.iowait_ms if io is None else io
    if (rates.swap_in or 0.0) >= SWAP_PAGES:
        mine = pages * rates.page >= _SWAP_PART * moved
        waited = max(memory or 0.0, io if mine else 0.0) or None
        said = f"{rates.swap_in:,.0f} pages/s come back from swap: memory is too small"
        return Waiting(WaitCause.SWAP, waited, True, said), _disk(rates, io, hidden=mine)
    short = (memory or 0.0) >= STALL_MS
    said = "programs wait for memory: it is too small" if short else "nothing is swapped in"
    return Waiting(WaitCause.SWAP, memory if short else 0.0, short, said), _disk(rates, io, hidden=False)


def _disk(rates: Rates, ms: float, *, hidden: bool) -> Waiting:
    busiest = max(rates.disks, key=lambda disk: disk.busy, default=None)
    over = ms >= DISK_MS and not hidden
    if busiest is None:
        return Waiting(WaitCause.DISK, ms, over, "programs wait for a disk")
    flushes = f", {busiest.flushes:,.0f} flushes/s (fsync)" if busiest.flushes and busiest.flushes >= 1 else ""
    who = f"; waiting now: {', '.join(rates.blocked[:3])}" if rates.blocked else ""
    words = f"{busiest.name} is busy {100 * busiest.busy:.0f} % of the time{flushes}{who}"
    return Waiting(WaitCause.DISK, ms, over, words)


def _full(rates: Rates) -> Waiting:
    """vCPUs, or threads, that run all the time; a thread may wander between vCPUs that are half full each."""
    count = max(sum(v.busy >= FULL for v in rates.vcpus), rates.full_threads)
    fullest = rates.fullest
    over = count >= max(1, math.ceil(FULL_PART * len(rates.vcpus)))
    who = max(rates.programs, key=lambda p: p.vcpus, default=None)
    said = f"{who.name} runs for {who.vcpus:.2f} vCPU" if who else "programs run all the time"
    where = f"vCPU {fullest.cpu} is {100 * fullest.busy:.0f} % busy" if fullest else "vCPUs are busy"
    wait = (
        f"; programs wait {rates.run_wait_ms:,.0f} ms/s for their turn" if (rates.run_wait_ms or 0) >= STALL_MS else ""
    )
    return Waiting(WaitCause.FULL_VCPU, 1000.0 * count, over, f"{where}: {said}{wait}")


def _queue(rates: Rates) -> Waiting:
    ms = rates.run_wait_ms
    over = ms is not None and ms >= STALL_MS and ms >= WAIT_SHARE * 1000.0 * rates.busy
    waiting = sorted(rates.programs, key=lambda p: -p.wait_ms)[:3]
    who = ", ".join(f"{p.name} {p.wait_ms:,.0f}" for p in waiting if p.wait_ms >= 1)
    words = f"programs wait {ms or 0:,.0f} ms/s for a vCPU that others use" + (f" ({who})" if who else "")
    return Waiting(WaitCause.RUN_QUEUE, ms, over, words)


NAMES = {
    WaitCause.STEAL: "steal",
    WaitCause.SWAP: "memory",
    WaitCause.DISK: "the disk",
    WaitCause.FULL_VCPU: "a full vCPU",
    WaitCause.RUN_QUEUE: "the run queue",
}
"""The causes that can be larger than IPC, in words."""


def _not_ipc(largest: Waiting, over: Sequence[Waiting], most: Ceiling) -> str:
    ms = (
        ""
        if largest.ms is None or largest.cause is WaitCause.FULL_VCPU
        else f", {largest.ms:,.0f} ms of waiting a second"
    )
    ipc = (
        "" if most.waiting_ms is None else f". All that waking faster could save is {amount(most.waiting_ms)} a second"
    )
    also = [NAMES[cause.cause] for cause in over if cause is not largest]
    return f"{NAMES[largest.cause]}: {largest.words}{ms}{ipc}" + (
        f". Over its bound too: {', '.join(also)}" if also else ""
    )


def _idle_words(rates: Rates) -> str:
    wakes = "" if rates.wakes is None else f"{rates.wakes:,.0f} wake-ups a second between vCPUs, "
    return f"the machine is idle: {wakes}{rates.busy:.2f} of {len(rates.vcpus)} vCPU in use"


def _little_words(most: Ceiling) -> str:
    if most.waiting_ms is None:
        return f"hardly a vCPU is woken from its sleep: {most.wakes or 0:,.0f} times a second"
    return f"little to gain: {amount(most.waiting_ms)} of waiting a second at most, over all programs"


def _worth_words(most: Ceiling) -> str:
    if most.hop_ns is None or most.waiting_ms is None:
        return "vCPUs are woken from their sleep often; what one wake-up costs here is unknown"
    return f"worth a try for programs that talk much: 100 hops one after another gain up to {most.hop_ns / 1e4:.1f} ms"


def amount(ms: float) -> str:
    """Waiting in ms with two figures that count."""
    return f"{ms:,.0f} ms" if ms >= 10 else f"{ms:.1f} ms" if ms >= 0.1 else "less than 0.1 ms"
