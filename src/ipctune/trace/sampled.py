"""What can be said without eBPF, of the calls and the waiting of threads: /proc alone, looked at again and again.

/proc/PID/task/TID/syscall tells in which system call a thread is while it sleeps, schedstat how long it waited for its
vCPU (proc(5)). So there are shares of time and no counts, and nothing of a call that is over before the next look.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ipctune.errors import NotPossible
from ipctune.trace.calls import CALLS, Call, number_of
from ipctune.trace.load import Cost
from ipctune.trace.model import Called, End, Flow, Flows, Latencies, Lock, Locks, Waits, Wakeups, WokenProcess
from ipctune.trace.session import Moment, name_of, own
from ipctune.trace.symbols import Symbols
from ipctune.trace.whom import Whom

__all__ = ["Delayed", "Delays", "Sampled", "Samples", "between_delays", "between_samples"]

_LEAST_S = 0.02
_SHARE = 50
"""A look at all threads takes a fiftieth of a vCPU at most: with many threads it is made less often."""
_PROC = Path("/proc")
_NONE = Waits(0, 0, 0, None, None)


@dataclass(frozen=True, slots=True)
class Samples:
    """ns that threads were seen in a call, by process and call, up to a moment."""

    now: Moment
    asleep_ns: dict[tuple[int, str], int]
    comms: dict[int, str]


@dataclass(frozen=True, slots=True)
class Delayed:
    """Turns and ns of waiting for them, by process, up to a moment."""

    now: Moment
    waits: dict[int, tuple[int, int]]
    comms: dict[int, str]


@dataclass(frozen=True, slots=True)
class Locked:
    """ns that threads were seen to sleep for a futex, by process and address, and the most at once, up to a moment."""

    now: Moment
    asleep_ns: dict[tuple[int, int], int]
    most: dict[tuple[int, int], int]
    names: dict[tuple[int, int], str]
    comms: dict[int, str]


def moment() -> Moment:
    """Now, where no program is in the kernel."""
    return Moment(time.monotonic(), 0, Cost(0, 0), time.process_time_ns())


@dataclass(slots=True)
class _Looking:
    """The processes that are meant, with their threads."""

    whom: Whom
    root: Path = _PROC
    comms: dict[int, str] = field(default_factory=dict)

    def threads(self) -> Iterator[tuple[int, Path]]:
        """Each thread's folder, with its process."""
        pids = self.whom.processes(self.root) if not self.whom.everybody else _all(self.root)
        for pid in sorted(pids):
            with suppress(OSError):
                for task in (self.root / str(pid) / "task").iterdir():
                    if self._is_named(task):
                        self.comms.setdefault(pid, name_of(_read(self.root / str(pid) / "comm").encode()))
                        yield pid, task

    def _is_named(self, task: Path) -> bool:
        return not self.whom.comm or _read(task / "comm") == self.whom.comm


def _all(root: Path) -> set[int]:
    return {int(entry.name) for entry in root.iterdir() if entry.name.isdigit()}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


class _Sampler:
    """Looks at all threads from when the context begins until it ends, in a thread of its own."""

    def __init__(self, whom: Whom, root: Path) -> None:
        self._looking = _Looking(whom, root)
        self._over, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        list(self._looking.threads())  # says at once where there is nobody
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def follow(self) -> bool:
        """Whether there is somebody left."""
        return _is_left(self._looking)

    def _look(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            begun = time.monotonic()
            with suppress(OSError, NotPossible):
                self._once(int((begun - last) * 1e9))
            last = begun
            self._over.wait(max(_LEAST_S, _SHARE * (time.monotonic() - begun)))

    def _once(self, ns: int) -> None:
        raise NotImplementedError


class Sampled(_Sampler):
    """In which calls threads sleep."""

    def __init__(self, whom: Whom, calls: Sequence[Call], root: Path = _PROC) -> None:
        super().__init__(whom, root)
        self._names = {number_of(call): call.name for call in calls if number_of(call) >= 0}
        self._seen: dict[tuple[int, str], int] = defaultdict(int)

    def read(self) -> Samples:
        """What was seen so far."""
        with self._lock:
            return Samples(moment(), dict(self._seen), dict(self._looking.comms))

    def _once(self, ns: int) -> None:
        for pid, task in self._looking.threads():
            words = _read(task / "syscall").split(" ")
            name = self._names.get(int(words[0])) if words[0].lstrip("-").isdigit() else None
            if name is not None:
                with self._lock:
                    self._seen[pid, name] += ns


class SampledLocks(_Sampler):
    """For which futexes threads sleep: the first argument of the call is the address."""

    def __init__(self, whom: Whom, root: Path = _PROC) -> None:
        super().__init__(whom, root)
        self._numbers = {str(number_of(call)) for call in CALLS if call.name in ("futex", "futex_wait")}
        self._seen: dict[tuple[int, int], int] = defaultdict(int)
        self._most: dict[tuple[int, int], int] = {}
        self._symbols = Symbols(root)

    def read(self) -> Locked:
        """What was seen so far."""
        with self._lock:
            seen, most = dict(self._seen), dict(self._most)
        for pid in {pid for pid, _ in seen}:
            self._symbols.know(pid)
        names = {key: self._symbols.name(*key) for key in seen}
        return Locked(moment(), seen, most, names, dict(self._looking.comms))

    def _once(self, ns: int) -> None:
        waiting: Counter[tuple[int, int]] = Counter()
        for pid, task in self._looking.threads():
            words = _read(task / "syscall").split(" ")
            if words[0] in self._numbers and len(words) > 1:
                with suppress(ValueError):
                    waiting[pid, int(words[1], 16)] += 1
        with self._lock:
            for key, count in waiting.items():
                self._seen[key] += ns * count
                self._most[key] = max(count, self._most.get(key, 0))


def between_samples(before: Samples, after: Samples, why: str) -> Latencies:
    """Shares of time in calls between two moments; `why` there are no counts."""
    rows = []
    for key, now in after.asleep_ns.items():
        ns = now - before.asleep_ns.get(key, 0)
        if ns:
            rows.append(Called(key[0], after.comms.get(key[0], "?"), key[1], 0, ns, ns, 0, None, None, {}))
    rows.sort(key=lambda row: row.ns, reverse=True)
    missing = (f"eBPF ({why}): calls were not counted; threads were looked at in /proc while they slept in one",)
    return Latencies(after.now.at - before.now.at, tuple(rows), 0, own(before.now, after.now), missing)


class Delays:
    """How long threads waited for a vCPU, from schedstat, when it is read."""

    def __init__(self, whom: Whom, root: Path = _PROC) -> None:
        self._looking = _Looking(whom, root)

    def __enter__(self) -> Self:
        list(self._looking.threads())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def follow(self) -> bool:
        """Whether there is somebody left."""
        return _is_left(self._looking)

    def read(self) -> Delayed:
        """Up to now."""
        found: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        with suppress(NotPossible):
            for pid, task in self._looking.threads():
                words = _read(task / "schedstat").split()
                if len(words) == 3 and all(word.isdigit() for word in words):
                    turns, ns = found[pid]
                    found[pid] = turns + int(words[2]), ns + int(words[1])
        return Delayed(moment(), dict(found), dict(self._looking.comms))


def between_delays(before: Delayed, after: Delayed, why: str) -> Wakeups:
    """Turns and run-queue wait between two moments; `why` nothing is told of idle vCPUs."""
    rows = []
    for pid, (turns, ns) in after.waits.items():
        had = before.waits.get(pid, (0, 0))
        if turns > had[0]:
            waits = Waits(turns - had[0], max(0, ns - had[1]), 0, None, None)
            rows.append(WokenProcess(pid, after.comms.get(pid, "?"), 0, _NONE, waits))
    rows.sort(key=lambda row: row.run_queue.ns, reverse=True)
    missing = (f"eBPF ({why}): turns on a vCPU were counted, and what was waited for them; nothing of idle vCPUs",)
    return Wakeups(after.now.at - before.now.at, tuple(rows), (), 0, own(before.now, after.now), missing)


def between_locks(before: Locked, after: Locked, why: str) -> Locks:
    """Time that threads slept for futexes between two moments; `why` there are no counts."""
    rows = []
    for key, now in after.asleep_ns.items():
        ns = now - before.asleep_ns.get(key, 0)
        if ns:
            rows.append(_lock(key, ns, after))
    rows.sort(key=lambda row: row.asleep_ns, reverse=True)
    missing = (f"eBPF ({why}): waits were not counted; threads were looked at in /proc while they slept for a futex",)
    return Locks(after.now.at - before.now.at, tuple(rows), 0, own(before.now, after.now), missing)


def _lock(key: tuple[int, int], ns: int, after: Locked) -> Lock:
    return Lock(
        pid=key[0],
        comm=after.comms.get(key[0], "?"),
        address=key[1],
        name=after.names[key],
        slept=0,
        asleep_ns=ns,
        p50_ns=None,
        p99_ns=None,
        most_ns=0,
        unslept=0,
        timed_out=0,
        interrupted=0,
        wakes=0,
        woken=0,
        in_vain=0,
        to_run_ns=None,
        most_waiting=after.most[key],
    )


class Totals:
    """Bytes and calls of read and write by process, whatever they went through, from /proc/PID/io."""

    def __init__(self, whom: Whom, root: Path = _PROC) -> None:
        self._looking = _Looking(whom, root)

    def __enter__(self) -> Self:
        list(self._looking.threads())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def follow(self) -> bool:
        """Whether there is somebody left."""
        return _is_left(self._looking)

    def read(self) -> tuple[Moment, dict[int, dict[str, int]], dict[int, str]]:
        """Up to now."""
        found: dict[int, dict[str, int]] = {}
        with suppress(NotPossible):
            for pid in {pid for pid, _ in self._looking.threads()}:
                told = (line.split(": ") for line in _read(self._looking.root / str(pid) / "io").splitlines())
                found[pid] = {word[0]: int(word[1]) for word in told if len(word) == 2 and word[1].isdigit()}
        return moment(), found, dict(self._looking.comms)


def between_totals(
    before: tuple[Moment, dict[int, dict[str, int]], dict[int, str]],
    after: tuple[Moment, dict[int, dict[str, int]], dict[int, str]],
    why: str,
) -> Flows:
    """What each process wrote and read between two moments; `why` it is not told by pipe."""
    flows = []
    for pid, now in after[1].items():
        was = before[1].get(pid, now)
        ends = tuple(
            End(pid, after[2].get(pid, "?"), sends, messages, moved, 0, 0, 0, None)
            for sends, calls, count in ((True, "syscw", "wchar"), (False, "syscr", "rchar"))
            for messages, moved in [(now.get(calls, 0) - was.get(calls, 0), now.get(count, 0) - was.get(count, 0))]
            if messages > 0
        )
        if ends:
            flows.append(Flow("any", pid, ends))
    flows.sort(key=lambda flow: max(end.bytes for end in flow.ends), reverse=True)
    missing = (
        f"eBPF ({why}): these are all reads and writes of a process, of files as well, and no send and no recv; "
        "`ipctune graph` says who is connected with whom",
    )
    return Flows(after[0].at - before[0].at, tuple(flows), 0, own(before[0], after[0]), missing)


def _is_left(looking: _Looking) -> bool:
    try:
        return looking.whom.everybody or bool(looking.whom.processes(looking.root))
    except NotPossible:
        return False
