"""The process between the tuner and a command: starts it, watches it, measures it, and leaves nothing behind.

It is the reaper of everything that the command starts. When its standard input closes, because the tuner asks for it
or has died in whatever way, it ends all of that, runs the clean-up and goes. Requests and answers are lines of JSON.
"""

import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ipctune.errors import NotPossible
from ipctune.host.polltime import halts, poll_us
from ipctune.workload import tree
from ipctune.workload.private import enter

__all__ = ["Answer", "Order", "main"]

_TICK_NS = 10_000_000
_MOST_OUTPUT = 1 << 20
_QUIET = 0.01  # seconds between two looks at the output: reading each line at once would wake a vCPU for it
_REST = 0.2  # seconds after --prepare: vCPUs that were kept awake go on answering fast for a while
_LAST_CLEANUP = 10.0  # seconds for the clean-up when the tuner is gone
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Order:
    """One run: lines for the shell, vCPUs (empty: any), policy and resource limits (number in the kernel: bytes) of the
    command.

    The command may take `timeout` seconds, each of the others `around`.
    """

    command: str
    prepare: str
    cleanup: str
    timeout: float
    around: float
    folder: str
    cpus: tuple[int, ...] = ()
    batch: bool = False
    limits: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: the stage that is told about, its wait status, and the end of its output.

    Times and costs are those of the command alone. `late`: it did not end in time and was ended. `left`: processes
    that could not be ended.
    """

    stage: str
    status: int
    late: bool
    output: str
    seconds: float = 0.0
    cpu_ns: int = 0
    poll_ns: int | None = None
    halts: int | None = None
    steal_ns: int = 0
    foreign_ns: int = 0
    left: tuple[int, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the stage did not end as it should."""
        return self.late or self.status != 0


class _GoneError(Exception):
    """The tuner is gone, or wants us to go."""


def main() -> None:
    """Serve requests until there are no more. The first line says whether namespaces of our own are wanted."""
    wakeup = _set_up()
    try:
        first = json.loads(sys.stdin.buffer.readline() or b"{}")
        notes = enter() if first.get("private") else ()
    except (NotPossible, OSError) as error:
        _say({"error": str(error), "hint": getattr(error, "hint", "")})
        return
    _say({"notes": notes})
    order = None
    try:
        while line := sys.stdin.buffer.readline():
            order = Order(**json.loads(line))
            _say(asdict(_run(order, wakeup)))
            order = None
    except (_GoneError, BrokenPipeError):
        _go(order, wakeup)


def _set_up() -> int:
    """Signals and orphans; the descriptor that becomes readable when a child ends."""
    tree.become_reaper()
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    return reading


def _leave(_number: int, _frame: object) -> None:
    raise _GoneError


def _go(order: Order | None, wakeup: int) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    tree.end()
    if order is not None and order.cleanup:
        _Stage("cleanup", order.cleanup, order, wakeup, attended=False).finish(_LAST_CLEANUP)
        tree.end()


def _run(order: Order, wakeup: int) -> Answer:
    """Prepare, run, clean up; what failed first is told."""
    answer = _stage("prepare", order, wakeup) if order.prepare else None
    if answer is None or not answer.failed:
        answer = _measured(order, wakeup)
    if answer.late:
        tree.end()
    cleaned = _stage("cleanup", order, wakeup) if order.cleanup else answer
    left = tuple(tree.end())
    told = cleaned if cleaned.failed and not answer.failed else answer
    return Answer(**{**asdict(told), "left": left})


def _stage(name: str, order: Order, wakeup: int) -> Answer:
    return _Stage(name, getattr(order, name), order, wakeup).finish(order.around)


def _measured(order: Order, wakeup: int) -> Answer:
    if order.prepare:
        time.sleep(_REST)
    before = _Machine()
    stage = _Stage("command", order.command, order, wakeup, adjusted=True)
    answer = stage.finish(order.timeout)
    after = _Machine()
    cpu = after.cpu_ns - before.cpu_ns
    costs: dict[str, Any] = {
        "seconds": stage.seconds,
        "cpu_ns": cpu,
        "poll_ns": _grown(before.poll_ns, after.poll_ns),
        "halts": _grown(before.halts, after.halts),
        "steal_ns": after.steal_ns - before.steal_ns,
        "foreign_ns": max(0, after.busy_ns - before.busy_ns - cpu),
    }
    return Answer(**{**asdict(answer), **costs})


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


class _Machine:
    """Counters of the machine and of our descendants, now (proc_stat(5))."""

    def __init__(self) -> None:
        poll = poll_us()
        self.poll_ns = None if poll is None else poll * 1000
        self.halts = halts()
        times = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _, _, irq, softirq, steal = times
        self.busy_ns = (user + nice + system + irq + softirq) * _TICK_NS
        self.steal_ns = steal * _TICK_NS
        self.cpu_ns = tree.cpu_ns()


class _Stage:
    """One line in a shell, started now in a session of its own."""

    def __init__(
        self, name: str, line: str, order: Order, wakeup: int, *, adjusted: bool = False, attended: bool = True
    ) -> None:
        self._name, self._wakeup, self._attended = name, wakeup, attended
        self._pipe, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._pipe, False)
        with suppress(OSError):  # as large as any user may have it: the command should not wait for us
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _MOST_OUTPUT)
        self._output = bytearray()
        self._start = time.monotonic()
        self.seconds = 0.0
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _become(line, order, writing, parent, adjusted=adjusted)
        os.close(writing)

    def finish(self, limit: float) -> Answer:
        """Wait until the shell ends, or for `limit` seconds. What it left in the background goes on."""
        status = self._wait(self._start + limit)
        self._drain()
        os.close(self._pipe)
        late = status is None
        return Answer(self._name, status or 0, late, self._output[-_MOST_OUTPUT:].decode(errors="replace"))

    def _wait(self, deadline: float) -> int | None:
        quiet_until = 0.0
        while True:
            status = tree.reap().get(self._pid)
            now = time.monotonic()
            if status is not None or now > deadline:
                self.seconds = now - self._start
                return status
            listening = now >= quiet_until
            fds = [self._wakeup, *([0] if self._attended else []), *([self._pipe] if listening else [])]
            until = deadline if listening else min(deadline, quiet_until)
            ready, _, _ = select.select(fds, [], [], max(0.0, until - now) + 0.001)
            if 0 in ready:
                raise _GoneError
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
            if self._pipe in ready:
                quiet_until = time.monotonic() + _QUIET if self._drain() else deadline

    def _drain(self) -> bool:
        """Read what is there; False where nothing more can come."""
        with suppress(BlockingIOError):
            while chunk := os.read(self._pipe, 1 << 16):
                self._output += chunk
                if len(self._output) > 2 * _MOST_OUTPUT:
                    del self._output[:-_MOST_OUTPUT]
            return False
        return True


def _become(line: str, order: Order, output: int, parent: int, *, adjusted: bool) -> None:
    """In the child: be the shell with that line."""
    try:
        tree.die_with_parent(parent)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (*_ENDING, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(order.folder)
        if adjusted and order.cpus:
            os.sched_setaffinity(0, order.cpus)
        if adjusted and order.batch:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        for limit, least in order.limits if adjusted else ():
            _raise_limit(limit, least)
        os.execv("/bin/sh", ["/bin/sh", "-c", line])
    except OSError as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(127)


def _raise_limit(number: int, value: int) -> None:
    """Raise a soft limit, and the hard one where it is lower: that takes CAP_SYS_RESOURCE (setrlimit(2)).

    Raises OSError where the kernel refuses it.
    """
    soft, hard = resource.getrlimit(number)
    if soft == resource.RLIM_INFINITY or soft >= value:
        return  # a limit is never lowered
    try:
        resource.setrlimit(number, (value, hard if hard == resource.RLIM_INFINITY else max(hard, value)))
    except ValueError as error:
        raise PermissionError(f"resource limit {number} may not be raised to {value}: {error}") from None


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
