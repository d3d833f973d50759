"""What `inspect` does, for both command lines: the full one and the plain one without any library."""

import dataclasses
import json
import sys
import time
from pathlib import Path

from ipctune.errors import Exit, NotPossible, WrongUse
from ipctune.host.finding import Inspection
from ipctune.host.findings import inspect
from ipctune.host.plain import plain
from ipctune.host.record import record as save
from ipctune.host.recorded import open_recorded
from ipctune.host.root import Root
from ipctune.report.inspect import render
from ipctune.report.style import Style
from ipctune.report.watch import render_watch

__all__ = ["run_inspect"]


def run_inspect(
    *, everything: bool, as_json: bool, check: bool, root: str | None, record: str | None, watch: float | None = None
) -> int:
    """Read, print, save where asked; the exit code. `watch` is how long to watch programs, in s."""
    if root and watch is not None:
        raise WrongUse("--watch takes this machine: a recorded one has no second moment", hint="leave --root out")
    files = open_recorded(Path(root)) if root else Root()
    started = time.monotonic()
    result = inspect(files)
    seconds = time.monotonic() - started
    cut = False
    if watch is not None:
        result, cut = _watched(result, watch)
    if as_json:
        print(json.dumps(plain(result), indent=2))
    elif result.watch is not None:
        print(render_watch(result.watch, Style.auto(sys.stdout)))
    else:
        print(render(result, Style.auto(sys.stdout), everything=everything, seconds=seconds))
    if cut:
        raise KeyboardInterrupt
    if record:
        count = save(files, Path(record))
        print(f"{count} files saved in {record}; host name, addresses, ids and secrets left out", file=sys.stderr)
    return Exit.CHECK_FAILED if check and result.to_fix else Exit.DONE


def _watched(result: Inspection, seconds: float) -> tuple[Inspection, bool]:
    """The same with what the programs did, and whether Ctrl-C cut it short."""
    from ipctune.tune.watching import CutShort, watch_host

    begun, shown = time.monotonic(), sys.stderr.isatty()

    def tick(what: str) -> None:
        if shown:
            done = min(seconds, time.monotonic() - begun)
            print(f"\r\x1b[K   watching {what}: {done:.0f} of {seconds:.0f} s", end="", file=sys.stderr, flush=True)

    cut = False
    try:
        watch = watch_host(result.host, seconds, 1, tick)
    except CutShort as early:
        watch, cut = early.watch, True
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if watch is None and cut:
        raise KeyboardInterrupt
    if watch is None:
        raise NotPossible("/proc tells nothing of what runs here")
    return dataclasses.replace(result, watch=watch), cut
