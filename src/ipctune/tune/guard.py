"""The guard of a run: it looks at the machine's own programs between blocks, pauses where they come short, and stops.

A look takes some ms and lies outside every block. Between two of them are two seconds at least, and twenty times what a
look takes; a block that is longer is not looked into. While it pauses, what is being tried is off.
"""

import math
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ipctune.host.model import Host
from ipctune.host.model_watch import PSI_SECONDS
from ipctune.host.others import Moment, Others, between, read_moment
from ipctune.host.root import Root
from ipctune.tune.bounds import Room, crossed, not_now, short_of_memory, waits
from ipctune.tune.model_guard import Took

__all__ = ["Check", "Guard", "Stopped", "nobody_looks"]

EVERY_S = 2.0
_COST = 20  # times what a look took, between two looks
PATIENCE_S = 30.0
"""How long one pause lasts at most: who is still short then is so for a reason of its own, or needs us gone."""
MOST_PAUSES, PAUSES_WITHIN_S = 5, 600.0
"""More pauses than this in so many seconds end the run."""
_SHORTEST_S = 1.0  # a shorter window says nothing of ticks and bursts

Off = Callable[[], None]
Check = Callable[[Off], bool]
"""Called between blocks, with what switches off that which is being tried; whether it did, and paused."""


class Stopped(Exception):
    """The guard ends the run; `why` says which bound, and that pausing did not help."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def nobody_looks(off: Off) -> bool:
    """In place of `Guard.check` where nothing is guarded."""
    return False


def _nothing() -> None:
    return


@dataclass
class Guard:
    """Looks, and remembers what it saw. Where it is not `on` it only says in the end what the run took.

    `moment` and `sleep` are for tests.
    """

    host: Host
    tick: Callable[[str], None]
    moment: Callable[[], Moment] = lambda: read_moment(Root())
    sleep: Callable[[float], None] = time.sleep
    on: bool = True
    before: Others | None = None
    paused_s: float = 0.0
    stopped: str = ""
    own_bytes: int = 0
    looks: int = 0
    reasons: list[str] = field(default_factory=list)
    _moments: deque[Moment] = field(default_factory=deque)
    _last: Others | None = None
    _begun_pauses: list[float] = field(default_factory=list)
    _worst: dict[str, float] = field(default_factory=dict)
    _next: float = 0.0
    _knows: bool = False

    def __post_init__(self) -> None:
        self._begun, self._cpu = time.monotonic(), _own_cpu()
        self._first = self._look()

    @property
    def room(self) -> Room:
        """The vCPUs that we may use: fewer than are there in a cpuset, and of them a part by a quota."""
        cpus = self.host.cpus.allowed
        quota = [q.value for q in self.host.cgroup.limits if q.name == "cpu" and q.value]
        return Room(cpus, min([float(len(cpus)), *quota]))

    def watch(self) -> None:
        """In the seconds before anything is tried: what others do at most in a window as long as those to come."""
        if time.monotonic() >= self._next:
            self._fold(self._window())

    def ready(self) -> str:
        """Remember what others did. Why the run had better not start; empty where it may."""
        now = self._look()
        whole = self._since(self._first, now)
        self._fold(whole)
        return not_now(now, whole, self.room) if self.on else ""

    def know(self) -> None:
        """What others do while a workload of the user's runs, with nothing set, belongs to it: it is no harm.

        Raises Stopped where memory gets short all the same.
        """
        if self.before is None or not self.on:
            return
        if not self._knows:
            self._knows, self._moments = True, deque([self._moments[-1]])
        window = self._window()
        longer = self._since(self._moments[0], self._moments[-1])
        for found in (window, longer if longer is not None and longer.stalled_ms else None):
            self._fold(found)
        if short := short_of_memory(self._moments[-1]):
            self._pause(short)

    def check(self, off: Off = _nothing) -> bool:
        """Called between blocks. Pauses with `off` called first; raises Stopped."""
        if not self.on or self.before is None or time.monotonic() < self._next:
            return False
        found = self._found()
        if self._last is not None:
            for name, more, _ in waits(self.before, self._last):
                if name in self.before.programs:
                    self._worst[name] = max(self._worst.get(name, 0.0), more)
        if not found:
            return False
        off()
        self._pause(found)
        return True

    def _pause(self, found: str) -> None:
        """Wait until nothing is short: six seconds at least, as the kernel's pressure totals say nothing before."""
        start = time.monotonic()
        self.reasons.append(found)
        self._begun_pauses = [at for at in self._begun_pauses if start - at < PAUSES_WITHIN_S]
        if len(self._begun_pauses) >= MOST_PAUSES:
            self._stop(f"{found}; it paused {MOST_PAUSES} times for such within {PAUSES_WITHIN_S / 60:.0f} min")
        self._begun_pauses.append(start)
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
        last, now = self._last, self._window()
        if now is None:
            return ""
        self._last = now
        longer = self._since(self._moments[0], self._moments[-1])
        tells = longer if longer is not None and longer.seconds >= PSI_SECONDS else None
        return crossed(self.before, now, tells, self._moments[-1], self.room, last)

    def _window(self) -> Others | None:
        """What others did since the last look; None where that is too short to tell: then the next window holds it."""
        last, now = self._moments[-1], self._look()
        found = self._since(last, now)
        if found is None:
            self._moments.pop()
        return found

    def _fold(self, found: Others | None) -> None:
        if found is not None:
            self.before = found if self.before is None else _higher(self.before, found)

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
        found = between(first, now, self.host.cpus.allowed)
        return found if found is not None and found.seconds >= _SHORTEST_S else None

    def took(self) -> Took:
        """What the run took from others, as far as it has come."""
        seconds = time.monotonic() - self._begun
        name, more = max(self._worst.items(), key=lambda pair: pair[1], default=("", 0.0))
        return Took(
            seconds=seconds,
            vcpus=(_own_cpu() - self._cpu) / seconds if seconds > 0 else 0.0,
            memory_bytes=self.own_bytes,
            looks=self.looks,
            paused=tuple(self.reasons),
            paused_seconds=self.paused_s,
            most_wait_ms=max(0.0, more),
            waited=name if more > 0 else "",
            complete=self.before is None or self.before.complete,
            waits_known=self.before is not None and self.before.waits_known,
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
    return Others(
        seconds=b.seconds,
        programs=programs,
        used=max(a.used, b.used),
        busy=max(a.busy, b.busy),
        steal_ms=max(a.steal_ms, b.steal_ms),
        steal_share=max(a.steal_share, b.steal_share),
        stalled_ms=stalled,
        complete=a.complete and b.complete,
        waits_known=a.waits_known or b.waits_known,
    )
