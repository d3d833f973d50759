"""What `inspect` does, for both command lines: the full one and the plain one without any library."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from ipctune.errors import Exit
from ipctune.host.findings import Inspection, inspect
from ipctune.host.plain import plain
from ipctune.host.record import record as save
from ipctune.host.recorded import open_recorded
from ipctune.host.root import Root
from ipctune.report.inspect import render
from ipctune.report.style import Style
from ipctune.services.findings import merged
from ipctune.services.look import look

__all__ = ["look_around", "run_inspect"]

_MOST_OF_SERVICES = 5


def run_inspect(*, everything: bool, as_json: bool, check: bool, root: str | None, record: str | None) -> int:
    """Read, print, save where asked; the exit code."""
    files = open_recorded(Path(root)) if root else Root()
    started = time.monotonic()
    result = look_around(files)
    seconds = time.monotonic() - started
    if as_json:
        print(json.dumps(plain(result), indent=2))
    else:
        print(render(result, Style.auto(sys.stdout), everything=everything, seconds=seconds))
    if record:
        count = save(files, Path(record))
        print(f"{count} files saved in {record}; host name, addresses, ids and secrets left out", file=sys.stderr)
    return Exit.CHECK_FAILED if check and result.to_fix else Exit.DONE


def look_around(files: Root) -> Inspection:
    """The machine, and the most urgent of its services; a recorded machine has no live services to look at.

    Services are read through a root of their own: what they show stays out of a recording.
    """
    result = inspect(files)
    if not files.live:
        return result
    return replace(result, findings=merged(result.findings, look(quick=True).findings, _MOST_OF_SERVICES))
