"""`ipctune trace`: what the programs of this machine do with IPC, live, by eBPF."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import click

from ipctune.cli.params import DURATION
from ipctune.errors import EXIT_CODES, Exit, WrongUse

if TYPE_CHECKING:
    from ipctune.report.style import Style
    from ipctune.trace.whom import Whom

__all__ = ["command"]

_EPILOG = f"\b\n{EXIT_CODES}"
_CONTEXT = {"help_option_names": ["-h", "--help"]}
_REDRAW_S = 1.0


@click.group("trace", epilog=_EPILOG, context_settings=_CONTEXT)
def command() -> None:
    """Watch live what programs do with IPC, at a cost that is shown.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """


def _options(function: Callable[..., int]) -> Callable[..., int]:
    """Whom, how long and how: what every one of these commands takes."""
    for option in reversed(
        (
            click.option(
                "-p", "--pid", "pids", type=click.IntRange(min=1), multiple=True, help="This process; may be repeated."
            ),
            click.option("--unit", default="", help="The processes of this systemd unit, and what they start."),
            click.option("--cgroup", default="", help="Those in this control group, and in groups below it."),
            click.option("--comm", default="", help="Threads of this name alone (/proc/PID/comm)."),
            click.option("--duration", type=DURATION, help="End after this time; without it Ctrl-C does."),
            click.option("--interval", type=DURATION, help="Tell what is new each time; with --json one line each."),
            click.option("--all", "everything", is_flag=True, help="List all, not the first ones alone."),
        )
    ):
        function = option(function)
    return function


@command.command("latency", epilog=_EPILOG, context_settings=_CONTEXT)
@_options
@click.option("--syscall", "calls", multiple=True, help="This call alone; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-latency.schema.json).")
def latency(calls: tuple[str, ...], **asked: Any) -> int:
    """Say how long each system call of IPC takes, by process.

    read, write and their like count on pipes, FIFOs and sockets alone; send and recv, System V and
    POSIX IPC, futex, splice, poll, epoll and io_uring_enter always. `asleep` is what of the time a
    thread slept in the call, for the other side to send or to make room. Errors are shown by errno.
    Sums are made in the kernel: nothing is sent here for each call, and nothing is sampled.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """
    from ipctune.report.trace import render_latencies
    from ipctune.trace.calls import chosen
    from ipctune.trace.latency import Watcher, between

    return _watch(lambda whom: Watcher(whom, chosen(calls)), between, render_latencies, asked)


@command.command("wakeups", epilog=_EPILOG, context_settings=_CONTEXT)
@_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-wakeups.schema.json).")
def wakeups(**asked: Any) -> int:
    """Say what a thread waits for from when it is woken until it runs.

    Either its vCPU was idle and had to wake up, which is the hypervisor's part, or another thread
    ran there: the run queue. By process and by vCPU, with the share that was woken from another vCPU.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """
    from ipctune.report.trace import render_wakeups
    from ipctune.trace.wakeups import Watcher, between

    return _watch(Watcher, between, render_wakeups, asked)


@command.command("pipes", epilog=_EPILOG, context_settings=_CONTEXT)
@_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-pipes.schema.json).")
def pipes(**asked: Any) -> int:
    """Say how much goes through each pipe, socket and queue, by process and end.

    Messages are calls that moved something. `full` is how full a pipe was after them, `asleep` what
    of the time a process slept in these calls: who sends sleeps for room, who receives for something
    to come. `>` sends, `<` receives. Both ends of a pipe stand together; those of a socket are two.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF.
    """
    from ipctune.report.trace import render_flows
    from ipctune.trace.pipes import Watcher, between

    return _watch(Watcher, between, render_flows, asked)


@command.command("futex", epilog=_EPILOG, context_settings=_CONTEXT)
@_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/trace-futex.schema.json).")
def futex(**asked: Any) -> int:
    """Say which locks are waited for, how long, and who wakes in vain.

    A mutex, condition or semaphore that nobody contends makes no system call, and is not seen; nor is
    who spins. `to run` is what passes from being woken to running, `most` how many waited at once,
    EAGAIN waits that came too late to sleep, `in vain` wakes that woke nobody.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF. Names of
             functions take ipctune[trace].
    """
    from ipctune.report.trace import render_locks
    from ipctune.trace.futex import Watcher, between

    return _watch(Watcher, between, render_locks, asked)


class _Watcher(Protocol):
    def __enter__(self) -> Any: ...

    def __exit__(self, *about: Any) -> None: ...

    def follow(self) -> bool: ...

    def read(self) -> Any: ...


def _watch(
    watcher: "Callable[[Whom], _Watcher]",
    between: Callable[[Any, Any], Any],
    render: "Callable[[Any, Style, int | None], str]",
    asked: dict[str, Any],
) -> int:
    from ipctune.trace.whom import Whom

    duration, interval = asked["duration"], asked["interval"]
    if interval is not None and duration is not None and interval > duration:
        raise WrongUse("--interval is longer than --duration")
    whom = Whom(asked["pids"], asked["unit"], asked["cgroup"], asked["comm"])
    screen = _Screen(render, as_json=asked["as_json"], everything=asked["everything"])
    with watcher(whom) as at:
        return _Run(at, between, screen, duration, interval).go()


class _Screen:
    """Drawn again in place on a terminal; one text or object after the other elsewhere."""

    def __init__(self, render: "Callable[[Any, Style, int | None], str]", *, as_json: bool, everything: bool) -> None:
        self._render, self._json, self._all = render, as_json, everything
        self.live = sys.stdout.isatty() and not as_json
        self._lines = 0

    def show(self, found: Any) -> None:
        """Print it, over what was there before."""
        from ipctune.host.plain import plain
        from ipctune.report.style import Style

        if self._json:
            print(json.dumps(plain(found), allow_nan=False), flush=True)
            return
        text = self._render(found, Style.auto(sys.stdout), None if self._all else 12)
        if self.live and self._lines:
            print(f"\x1b[{self._lines}F\x1b[J", end="")
        print(text, flush=True)
        self._lines = text.count("\n") + 1


@dataclass(frozen=True, slots=True)
class _Run:
    watcher: _Watcher
    between: Callable[[Any, Any], Any]
    screen: _Screen
    duration: float | None
    interval: float | None

    def go(self) -> int:
        """Until the time is over, nobody is left, or Ctrl-C, which is how it ends where no time was given."""
        start = last = self.watcher.read()
        end = None if self.duration is None else time.monotonic() + self.duration
        step = self.interval or (_REDRAW_S if self.screen.live else None)
        next_at = time.monotonic()
        goes_on, code = True, Exit.DONE
        while goes_on:
            next_at += step or 0.0
            try:
                goes_on = self._wait(next_at if step else None, end)
            except KeyboardInterrupt:
                goes_on, code = False, Exit.DONE if end is None else Exit.INTERRUPTED
            now = self.watcher.read()
            if step or not goes_on:
                self.screen.show(self.between(last if self.interval else start, now))
            last = now
        return code

    def _wait(self, step: float | None, end: float | None) -> bool:
        """Until the next look; False where it was the last one."""
        until = min((at for at in (step, end) if at is not None), default=float("inf"))
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _REDRAW_S))
            if not self.watcher.follow():
                return False
        return end is None or time.monotonic() < end
