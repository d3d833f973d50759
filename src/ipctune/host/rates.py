"""Two looks → rates: a pure function, so that any two moments can be held against each other."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ipctune.host.look import Counters, Disk, Look
from ipctune.host.look_tasks import Key, Task
from ipctune.host.model_watch import DiskRates, PressureRates, ProgramRates, Rates, VcpuRates

__all__ = ["FULL", "others_rates", "rates"]

FULL = 0.9
"""Share of the window from which a vCPU, or a thread, is called full: the rest is less than ticks of 10 ms tell."""
_SHORTEST = 1e-3  # seconds: two looks at the same moment have no rates
_IDLE, _IOWAIT, _STEAL = 3, 4, 7
_SECTOR = 512
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class _Ran:
    """What a thread did between the looks."""

    task: Task
    ran_ns: int
    waited_ns: int
    switches: int


def rates(before: Look, after: Look) -> Rates | None:
    """What happened between two looks, a second; None where no time went by."""
    a, b = before.counters, after.counters
    seconds = b.at - a.at
    if not seconds > _SHORTEST:
        return None
    others = list(_ran(before.tasks.others, after.tasks.others, known=before.tasks.complete))
    own = list(_ran(before.tasks.own, after.tasks.own, known=before.tasks.complete))
    vcpus = tuple(_vcpus(a, b, seconds, _no_burden(own, others, seconds)))
    halts = _sum(v.halts for v in vcpus)
    threads = [(_share(one.ran_ns, seconds), one.task.name) for one in others if not one.task.yields]
    share, name = max(threads, default=(0.0, ""))
    return Rates(
        seconds=seconds,
        vcpus=vcpus,
        context_switches=_rate(a.context_switches, b.context_switches, seconds),
        halts=None if halts is None else max(0.0, halts - sum(one.switches for one in own) / seconds),
        wakes=_wakes(vcpus),
        halted_ns=_halted_ns(a, b),
        programs=_programs(others, seconds),
        busiest_program=name,
        busiest_thread=share,
        full_threads=sum(one >= FULL for one, _ in threads),
        run_wait_ms=_run_wait(a, b, own, others, seconds),
        swap_in=_rate(a.vm.get("pswpin"), b.vm.get("pswpin"), seconds),
        swap_out=_rate(a.vm.get("pswpout"), b.vm.get("pswpout"), seconds),
        major_faults=_rate(a.vm.get("pgmajfault"), b.vm.get("pgmajfault"), seconds),
        pressure=tuple(_pressure(a, b, seconds)),
        disks=tuple(_disks(a.disks, b.disks, seconds)),
        blocked=_blocked(after),
        complete=before.tasks.complete and after.tasks.complete,
    )


def _rate(before: int | None, after: int | None, seconds: float) -> float | None:
    """Growth a second; counters that went back (a vCPU that was taken away) count as nothing."""
    return None if before is None or after is None else max(0, after - before) / seconds


def _share(ns: int, seconds: float) -> float:
    return min(1.0, max(0.0, ns / (seconds * 1e9)))


def _sum(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _ran(before: Mapping[Key, Task], after: Mapping[Key, Task], *, known: bool) -> Iterator[_Ran]:
    """Each thread's share; one that started meanwhile counts from nothing, if all were seen before."""
    for key, task in after.items():
        first = before.get(key)
        if first is not None:
            grown = (task.ran_ns - first.ran_ns, task.waited_ns - first.waited_ns, task.switches - first.switches)
        elif known:
            grown = (task.ran_ns, task.waited_ns, task.switches)
        else:
            continue
        yield _Ran(task, *(max(0, value) for value in grown))


def _no_burden(own: list[_Ran], others: list[_Ran], seconds: float) -> dict[int, float]:
    """What of each vCPU went to us, or to threads that give way to everybody, as a share of the window."""
    found: dict[int, float] = defaultdict(float)
    for one in [*own, *(other for other in others if other.task.yields)]:
        found[one.task.cpu] += _share(one.ran_ns, seconds)
    return found


def _vcpus(a: Counters, b: Counters, seconds: float, aside: Mapping[int, float]) -> Iterator[VcpuRates]:
    for cpu in sorted(a.ticks.keys() & b.ticks.keys()):
        spent = [max(0, y - x) for x, y in zip(a.ticks[cpu], b.ticks[cpu], strict=True)]
        total = sum(spent)
        if total == 0:
            continue
        working = total - spent[_IDLE] - spent[_IOWAIT] - spent[_STEAL]
        halts = _rate(_first(a.idle.get(cpu)), _first(b.idle.get(cpu)), seconds)
        yield VcpuRates(
            cpu=cpu,
            busy=max(0.0, working / total - aside.get(cpu, 0.0)),
            steal=spent[_STEAL] / total,
            iowait=spent[_IOWAIT] / total,
            halts=halts,
            ipis=_rate(a.ipis.get(cpu), b.ipis.get(cpu), seconds),
        )


def _first(pair: tuple[int, int] | None) -> int | None:
    return None if pair is None else pair[0]


def _wakes(vcpus: tuple[VcpuRates, ...]) -> float | None:
    """Wake-ups of a halted vCPU by another one, at most.

    A timer or a device wakes without an interrupt from another vCPU, and such an interrupt may find the vCPU busy:
    neither is more than the smaller of both counts. Without cpuidle the interrupts alone are the bound.
    """
    if any(v.ipis is None for v in vcpus):
        return _sum(v.halts for v in vcpus)
    return sum(min(v.ipis or 0.0, v.ipis or 0.0 if v.halts is None else v.halts) for v in vcpus) if vcpus else None


def _halted_ns(a: Counters, b: Counters) -> float | None:
    cpus = a.idle.keys() & b.idle.keys()
    entries = sum(b.idle[cpu][0] - a.idle[cpu][0] for cpu in cpus)
    us = sum(b.idle[cpu][1] - a.idle[cpu][1] for cpu in cpus)
    return us * 1000.0 / entries if entries > 0 and us >= 0 else None


def others_rates(before: Look, after: Look, cpus: Collection[int]) -> tuple[tuple[ProgramRates, ...], float]:
    """Every program of others between two looks, by name, and how many of these vCPUs they use.

    A thread counts where it was seen last; what gives way to everybody (SCHED_IDLE) is left out.
    """
    seconds = after.counters.at - before.counters.at
    if not seconds > _SHORTEST:
        return (), 0.0
    ran = _ran(before.tasks.others, after.tasks.others, known=before.tasks.complete)
    others = [one for one in ran if not one.task.yields]
    used = sum(one.ran_ns for one in others if one.task.cpu in cpus) / seconds / 1e9
    return tuple(_by_name(others, seconds)), used


def _by_name(others: list[_Ran], seconds: float) -> list[ProgramRates]:
    named: dict[str, list[_Ran]] = defaultdict(list)
    for one in others:
        named[one.task.name].append(one)
    return [_program(name, ran, seconds) for name, ran in named.items()]


def _programs(others: list[_Ran], seconds: float) -> tuple[ProgramRates, ...]:
    """By name; those that sleep most often first, and those that run or wait most among them in any case."""
    found = _by_name(others, seconds)
    talking = sorted(found, key=lambda p: (-p.switches, p.name))
    kept = {p.name for p in talking[:_SHOWN]}
    for figure in (lambda p: p.wait_ms, lambda p: p.vcpus):
        kept |= {p.name for p in sorted(found, key=figure, reverse=True)[:3]}
    return tuple(p for p in talking if p.name in kept)


def _program(name: str, ran: list[_Ran], seconds: float) -> ProgramRates:
    return ProgramRates(
        name=name,
        processes=len({one.task.pid for one in ran}),
        switches=sum(one.switches for one in ran) / seconds,
        wait_ms=sum(one.waited_ns for one in ran) / seconds / 1e6,
        vcpus=sum(one.ran_ns for one in ran) / seconds / 1e9,
    )


def _run_wait(a: Counters, b: Counters, own: list[_Ran], others: list[_Ran], seconds: float) -> float | None:
    """By the run queues less ours, where the kernel tells; else by the threads that are still there.

    What yields (SCHED_IDLE) waits because it is meant to.
    """
    told = _rate(a.run_delay_ns, b.run_delay_ns, seconds)
    seen = sum(one.waited_ns for one in others if not one.task.yields) / seconds
    if told is None and not others:
        return None
    aside = sum(one.waited_ns for one in [*own, *(other for other in others if other.task.yields)]) / seconds
    return max(seen, (told or 0.0) - aside) / 1e6


def _pressure(a: Counters, b: Counters, seconds: float) -> Iterator[PressureRates]:
    for resource, (some, full) in b.pressure.items():
        if resource in a.pressure:
            first = a.pressure[resource]
            growth = (_rate(first[0], some, seconds), _rate(first[1], full, seconds))
            stalled, whole = (None if us is None else us / 1000.0 for us in growth)
            yield PressureRates(resource, stalled or 0.0, whole)


def _disks(a: Mapping[str, Disk], b: Mapping[str, Disk], seconds: float) -> Iterator[DiskRates]:
    for name in sorted(a.keys() & b.keys()):
        x, y = a[name], b[name]
        if y.requests <= x.requests:
            continue
        yield DiskRates(
            name=name,
            busy=min(1.0, max(0, y.busy_ms - x.busy_ms) / (seconds * 1000)),
            requests=(y.requests - x.requests) / seconds,
            bytes=max(0, y.sectors - x.sectors) * _SECTOR / seconds,
            wait_ms=max(0, y.request_ms - x.request_ms) / seconds,
            flushes=_rate(x.flushes, y.flushes, seconds),
        )


def _blocked(after: Look) -> tuple[str, ...]:
    """Who waits for a disk in the second look: programs, and kernel threads for them."""
    programs = {task.name for task in after.tasks.others.values() if task.state == "D"}
    return tuple(sorted(programs | set(after.tasks.blocked)))
