"""What `inspect` does, for both command lines: the full one and the plain one without any library."""

import json
import sys
import time
from pathlib import Path

from ipctune.errors import Exit
from ipctune.host.findings import inspect
from ipctune.host.plain import plain
from ipctune.host.record import record as save
from ipctune.host.recorded import open_recorded
from ipctune.host.root import Root
from ipctune.report.inspect import render
from ipctune.report.style import Style

__all__ = ["run_inspect"]


def run_inspect(*, everything: bool, as_json: bool, check: bool, root: str | None, record: str | None) -> int:
    """Read, print, save where asked; the exit code."""
    files = open_recorded(Path(root)) if root else Root()
    started = time.monotonic()
    result = inspect(files)
    seconds = time.monotonic() - started
    if as_json:
        print(json.dumps(plain(result), indent=2))
    else:
        print(render(result, Style.auto(sys.stdout), everything=everything, seconds=seconds))
    if record:
        count = save(files, Path(record))
        print(f"{count} files saved in {record}; host name, addresses, ids and secrets left out", file=sys.stderr)
    return Exit.CHECK_FAILED if check and result.to_fix else Exit.DONE
