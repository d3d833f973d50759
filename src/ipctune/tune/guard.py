"""The guard of a run: it looks at the machine's own programs between blocks, pauses where they come short, and stops.

A look takes some ms and lies outside every block. Between two of them are two seconds at least, and twenty times what a
look takes. While it pauses, what is being tried is off.
"""

import math
import os
import resource
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ipctune.host.model import Host
from ipctune.host.model_watch import PSI_SECONDS
from ipctune.host.others import Moment, Others, between, read_moment
from ipctune.host.root import Root
from ipctune.tune.bounds import crossed, not_now, waits
from ipctune.tune.model_guard import Took

__all__ = ["Check", "Guard", "Stopped", "nobody_looks"]

EVERY_S = 2.0
_COST = 20  # times what a look took, between two looks
PATIENCE_S = 30.0
"""How long one pause lasts at most: who is still short then is so for a reason of its own, or needs us gone."""
MOST_PAUSES = 5
_SHORTEST_S = 1.0  # a shorter window says nothing of ticks and bursts

Off = Callable[[], None]
Check = Callable[[Off], None]
"""Called between blocks, with what switches off that which is being tried."""


class Stopped(Exception):
    """The guard ends the run; `why` says which bound, and that pausing did not help."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def nobody_looks(off: Off) -> None:
    """In place of `Guard.check` where nothing is guarded."""


def _nothing() -> None:
    return


@dataclass
class Guard:
    """Looks, and remembers what it saw. `moment` and `sleep` are for tests."""

    host: Host
    tick: Callable[[str], None]
    moment: Callable[[], Moment] = lambda: read_moment(Root())
    sleep: Callable[[float], None] = time.sleep
    before: Others | None = None
    paused_s: float = 0.0
    stopped: str = ""
    own_bytes: int = 0
    looks: int = 0
    reasons: list[str] = field(default_factory=list)
    _moments: deque[Moment] = field(default_factory=deque)
    _worst: dict[str, float] = field(default_factory=dict)
    _next: float = 0.0

    def __post_init__(self) -> None:
        self._begun, self._cpu = time.monotonic(), _own_cpu()
        self._look()

    @property
    def vcpus(self) -> float:
        """vCPUs that we may use: fewer than are there in a cpuset, and by a quota."""
        quota = [q.value for q in self.host.cgroup.limits if q.name == "cpu" and q.value]
        return min([float(len(self.host.cpus.allowed)), *quota])

    def ready(self) -> str:
        """Before anything is tried: remember what others do. Why the run had better not start; empty where it may."""
        now = self._look()
        others = self._since(self._moments[0], now)
        self.before = others
        return not_now(now, others, self.vcpus)

    def know(self) -> None:
        """What others do since the last look belongs to the workload, which the user chose to run: it is no harm."""
        last, now = self._moments[-1], self._look()
        others = self._since(last, now)
        if others is not None and self.before is not None:
            self.before = _higher(self.before, others)
        self._moments = deque([now])

    def check(self, off: Off = _nothing) -> None:
        """Called between blocks. Pauses with `off` called first; raises Stopped."""
        if self.before is None or time.monotonic() < self._next:
            return
        found = self._found()
        if not found:
            return
        off()
        self.reasons.append(found)
        if len(self.reasons) > MOST_PAUSES:
            self._stop(f"{found}; it paused {MOST_PAUSES} times for such before")
        self._pause(found)

    def _pause(self, found: str) -> None:
        """Wait until nothing is short: six seconds at least, as the kernel's pressure totals say nothing before."""
        start = time.monotonic()
        self._moments = deque([self._moments[-1]])  # what was before the pause says nothing of it
        still = found
        while still and time.monotonic() - start < PATIENCE_S:
            for _ in range(math.ceil(PSI_SECONDS / EVERY_S)):
                self.tick(f"paused: {found}")
                self.sleep(EVERY_S)
            still = self._found()
        self.paused_s += time.monotonic() - start
        if still:
            self._stop(f"{still}, and still after a pause of {PATIENCE_S:.0f} s")

    def _stop(self, why: str) -> None:
        self.stopped = why
        raise Stopped(why)

    def _found(self) -> str:
        assert self.before is not None
        last, now = self._moments[-1], self._look()
        others = self._since(last, now)
        if others is None:
            return ""
        for name, more in waits(self.before, others)[:3]:
            self._worst[name] = max(self._worst.get(name, 0.0), more)
        longer = self._since(self._moments[0], now)
        tells = longer if longer is not None and longer.seconds >= PSI_SECONDS else None
        return crossed(self.before, others, tells, now, self.vcpus)

    def _look(self) -> Moment:
        start = time.monotonic()
        now = self.moment()
        self.looks += 1
        self.own_bytes = max(self.own_bytes, now.own)
        self._moments.append(now)
        while len(self._moments) > 2 and now.look.counters.at - self._moments[1].look.counters.at >= PSI_SECONDS:
            self._moments.popleft()
        done = time.monotonic()
        self._next = done + max(EVERY_S, _COST * (done - start))
        return now

    def _since(self, first: Moment, now: Moment) -> Others | None:
        found = between(first, now)
        return found if found is not None and found.seconds >= _SHORTEST_S else None

    def took(self) -> Took:
        """What the run took from others, as far as it has come."""
        seconds = time.monotonic() - self._begun
        largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        name, more = max(self._worst.items(), key=lambda pair: pair[1], default=("", 0.0))
        return Took(
            seconds=seconds,
            vcpus=(_own_cpu() - self._cpu) / seconds if seconds > 0 else 0.0,
            memory_bytes=self.own_bytes + largest_child,
            looks=self.looks,
            paused=tuple(self.reasons),
            paused_seconds=self.paused_s,
            most_wait_ms=max(0.0, more),
            waited=name if more > 0 else "",
            complete=all(moment.look.tasks.complete for moment in self._moments),
            stopped=self.stopped,
        )


def _own_cpu() -> float:
    """CPU seconds of this process and of its children that have ended (times(2))."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _higher(a: Others, b: Others) -> Others:
    """Of each figure the higher one: what others did at most while nothing was tried."""
    programs = dict(a.programs)
    for name, p in b.programs.items():
        known = programs.get(name, p)
        programs[name] = replace(p, wait_ms=max(known.wait_ms, p.wait_ms), vcpus=max(known.vcpus, p.vcpus))
    stalled = {n: max(a.stalled_ms.get(n, 0.0), b.stalled_ms.get(n, 0.0)) for n in {*a.stalled_ms, *b.stalled_ms}}
    return Others(b.seconds, programs, max(a.steal_ms, b.steal_ms), b.steal_share, stalled, a.complete and b.complete)
