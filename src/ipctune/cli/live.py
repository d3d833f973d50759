"""What the commands that watch live share: whom, how long, and a screen that is drawn again."""

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Protocol

import click

from ipctune.cli.params import DURATION
from ipctune.errors import EXIT_CODES, Exit, WrongUse

if TYPE_CHECKING:
    from ipctune.report.style import Style
    from ipctune.trace.whom import Whom

__all__ = ["CONTEXT", "EPILOG", "live_options", "watch", "whom_of"]

EPILOG = f"\b\n{EXIT_CODES}"
CONTEXT = {"help_option_names": ["-h", "--help"]}
_REDRAW_S = 1.0
_ROWS = 12


def live_options(function: Callable[..., int]) -> Callable[..., int]:
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


def whom_of(asked: dict[str, Any]) -> "Whom":
    """Whom the options name. Raises WrongUse."""
    from ipctune.trace.whom import Whom

    return Whom(asked["pids"], asked["unit"], asked["cgroup"], asked["comm"])


class _Watcher(Protocol):
    def __enter__(self) -> Any: ...

    def __exit__(self, *about: Any) -> None: ...

    def follow(self) -> bool: ...

    def read(self) -> Any: ...


def watch(
    watcher: "Callable[[Whom], _Watcher]",
    between: Callable[[Any, Any], Any],
    render: "Callable[[Any, Style, int | None], str]",
    asked: dict[str, Any],
    form: Callable[[Any], str] | None = None,
    without: "tuple[Callable[[Whom], _Watcher], Callable[[Any, Any, str], Any]] | None" = None,
) -> int:
    """Watch and show until it is over; the exit code. `form` is another way to show it, once at the end.

    `between` makes of two readings what is shown. `without` is what watches where there is no eBPF.
    """

    duration, interval = asked["duration"], asked["interval"]
    if interval is not None and duration is not None and interval > duration:
        raise WrongUse("--interval is longer than --duration")
    from ipctune.trace.blob import NoEbpf

    whom = whom_of(asked)
    screen = _Screen(render, as_json=asked["as_json"], everything=asked["everything"], form=form)
    try:
        with watcher(whom) as at:
            return _Run(at, between, screen, duration, interval).go()
    except NoEbpf as refused:
        if without is None:
            raise
        other, between_others = without
        why = "; ".join(text for text in (refused.what, refused.hint) if text)
        with other(whom) as at:
            return _Run(at, lambda a, b: between_others(a, b, why), screen, duration, interval).go()


class _Screen:
    """Drawn again in place on a terminal; one text or object after the other elsewhere."""

    def __init__(
        self,
        render: "Callable[[Any, Style, int | None], str]",
        *,
        as_json: bool,
        everything: bool,
        form: Callable[[Any], str] | None,
    ) -> None:
        self._render, self._json, self._all, self._form = render, as_json, everything, form
        self.live = sys.stdout.isatty() and not as_json and form is None
        self._lines = 0

    def show(self, found: Any) -> None:
        """Print it, over what was there before."""
        from ipctune.host.plain import plain
        from ipctune.report.style import Style

        if self._json:
            print(json.dumps(plain(found), allow_nan=False), flush=True)
            return
        if self._form is not None:
            print(self._form(found), flush=True)
            return
        text = self._render(found, Style.auto(sys.stdout), None if self._all else _ROWS)
        if not self.live:
            print(text, flush=True)
            return
        room = get_terminal_size()
        lines = [_cut(line, room.columns - 1) for line in text.splitlines()[: room.lines - 1]]
        up = f"\x1b[{self._lines}F\x1b[J" if self._lines else ""
        print(up + "\n".join(lines), flush=True)
        self._lines = len(lines)


def _cut(line: str, width: int) -> str:
    """No longer than the terminal is wide, or what is drawn over it would leave a part; colours take no room."""
    room, parts = width, []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            parts.append(part)
        else:
            parts.append(part[:room])
            room -= len(parts[-1])
    return "".join(parts)


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
