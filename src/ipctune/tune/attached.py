"""A live service as the workload: nobody drives it, its own traffic decides.

A sample is what its threads waited from being woken until they ran, counted in the kernel; its messages are what it
sent through pipes, sockets and queues, or its wake-ups where it sends nothing. The same programs are in the kernel for
both arms of a trial, so what they cost is in both.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

from ipctune.errors import WorkloadFailed
from ipctune.host.polltime import halts, poll_us
from ipctune.trace import pipes, wakeups
from ipctune.trace.model import Flows, Wakeups
from ipctune.trace.slots import bounds, quantile
from ipctune.trace.whom import Whom
from ipctune.workload.model import Load, Sample

__all__ = ["Attached", "attached", "whom_of"]

_FEWEST = 10
"""Wake-ups in a block that have a median."""
_PATIENCE = 3
"""How many times its length a block may last until there are enough."""
_LOAD = Load("under its own traffic", live=True)
_LEAST_NS = 1.0
_CPU_CLOCK = 2  # CPUCLOCK_SCHED, include/linux/posix-timers.h


def whom_of(name: str) -> Whom:
    """A process id, or a systemd unit."""
    return Whom(pids=(int(name),)) if name.isascii() and name.isdecimal() else Whom(unit=name)


@contextmanager
def attached(name: str) -> Iterator["Attached"]:
    """The service of that name. Raises NotPossible where it is not there, or eBPF can't be had."""
    with Attached(name) as service:
        yield service


@dataclass(frozen=True, slots=True)
class _Look:
    wakes: wakeups.Counted
    moved: pipes.Counted
    cpu_ns: int
    poll_us: int | None
    halts: int | None
    at: float


class Attached:
    """What `Workload` asks for. Its processes are followed: those that join are counted from then on."""

    def __init__(self, name: str) -> None:
        self._name, self._whom = name, whom_of(name)
        self._held = ExitStack()
        self._gone_ns = 0
        self._waits: list[Wakeups] = []
        self._sends: bool | None = None
        self._cpu: dict[int, int] = {}

    @property
    def name(self) -> str:
        return f"the service {self._name}"

    @property
    def loads(self) -> tuple[Load, ...]:
        return (_LOAD,)

    @property
    def notes(self) -> tuple[str, ...]:
        """What its threads waited for so far, in words."""
        idle = sum(vcpu.idle_vcpu.ns for one in self._waits for vcpu in one.vcpus)
        queue = sum(vcpu.run_queue.ns for one in self._waits for vcpu in one.vcpus)
        count = sum(sum(one.slots) for one in self._waits)
        seconds = sum(one.seconds for one in self._waits)
        if not (count and idle + queue):
            return ()
        rate, each = count / seconds, (idle + queue) / count / 1000
        return (
            f"its threads are woken {rate:,.0f} times a second and wait {each:.1f} µs on average until they run: "
            f"{idle / (idle + queue):.0%} of that for an idle vCPU to wake up, {queue / (idle + queue):.0%} behind "
            "others in a run queue",
        )

    def __enter__(self) -> Self:
        with self._held as held:
            self._wakes = held.enter_context(wakeups.Watcher(self._whom))
            self._moved = held.enter_context(pipes.Watcher(self._whom))
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """What it does for about so long, longer where it does little. Raises WorkloadFailed where it does nothing."""
        if not (self._wakes.follow() and self._moved.follow()):
            raise WorkloadFailed(f"{self.name} has ended")
        before = self._look()
        for _ in range(_PATIENCE):
            time.sleep(seconds)
            after = self._look()
            woken = wakeups.between(before.wakes, after.wakes)
            count = sum(one.idle_vcpu.count + one.run_queue.count for one in woken.vcpus)
            if count >= _FEWEST:
                break
        else:
            raise WorkloadFailed(
                f"{self.name} does too little to be measured: {count} wake-ups in {after.at - before.at:.1f} s",
                hint="at a busier hour; or --workload, which drives a server of its own",
            )
        return self._sample(before, after, woken, pipes.between(before.moved, after.moved))

    def _sample(self, before: _Look, after: _Look, woken: Wakeups, moved: Flows) -> Sample:
        self._waits.append(woken)
        if woken.lost or moved.lost:
            raise WorkloadFailed(
                f"{self.name} starts and ends too much at once to be counted", hint="--workload or --command"
            )
        slots = woken.slots
        figure = quantile(slots, 0.5)
        sent = sum(end.messages for flow in moved.flows for end in flow.ends if end.sends)
        if self._sends is None:  # what its messages are is decided once
            self._sends = bool(sent)
        polled = None if before.poll_us is None or after.poll_us is None else (after.poll_us - before.poll_us) * 1000
        halted = None if before.halts is None or after.halts is None else after.halts - before.halts
        return Sample(
            figure=max(_LEAST_NS, figure or 0.0),
            seconds=after.at - before.at,
            messages=max(1, sent if self._sends else sum(slots)),
            cpu_ns=max(0, after.cpu_ns - before.cpu_ns),
            poll_ns=polled,
            buckets=tuple((sum(bounds(slot)) // 2, count) for slot, count in enumerate(slots) if count),
            halts=halted,
        )

    def _look(self) -> _Look:
        wakes, moved = self._wakes.read(), self._moved.read()
        return _Look(wakes, moved, self._cpu_ns(), poll_us(), halts(), time.monotonic())

    def _cpu_ns(self) -> int:
        """CPU time of its processes since the first look; what ended took what it had taken at the last look."""
        now = {pid: ns for pid in self._wakes.watched() if (ns := _cpu_of(pid)) is not None}
        self._gone_ns += sum(ns for pid, ns in self._cpu.items() if pid not in now)
        self._cpu = now
        return self._gone_ns + sum(now.values())


def _cpu_of(pid: int) -> int | None:
    """CPU time of a process, of threads that have ended as well: its CPU clock (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK)
    except OSError:
        return None
