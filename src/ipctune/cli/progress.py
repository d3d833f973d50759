"""Progress with an estimate, on a terminal's standard error; nothing elsewhere."""

import sys
import time
from contextlib import suppress
from types import TracebackType

import click
from click._termui_impl import ProgressBar

__all__ = ["Progress"]


class Progress:
    """One bar a stage, moved by the time that has passed; a stage that takes longer waits at its end."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._bar: ProgressBar[int] | None = None
        self._start = 0.0
        self._text = ""

    def stage(self, name: str, seconds: float) -> None:
        """Begin a stage that is expected to take that long."""
        self.close()
        self._text = ""
        if self._on:
            self._start = time.monotonic()
            self._bar = click.progressbar(
                length=max(1, int(seconds * 10)),
                label=f"   {name:<7}",
                file=sys.stderr,
                item_show_func=lambda _: self._text,
                width=20,
                show_pos=False,
            )
            self._bar.render_progress()

    def tick(self, text: str) -> None:
        """Something happened: move the bar, say what."""
        if self._bar is None:
            return
        self._text = text[:40]
        done = min((self._bar.length or 1) - 1, int((time.monotonic() - self._start) * 10))
        self._bar.current_item = done
        self._bar.update(max(0, done - self._bar.pos))
        self._bar.render_progress()

    def close(self) -> None:
        """Clear the line, so that what is printed next starts on a clean one."""
        if self._bar is not None:
            self._bar = None
            with suppress(OSError):
                sys.stderr.write("\r\x1b[K\x1b[?25h")
                sys.stderr.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
