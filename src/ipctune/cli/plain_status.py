"""`status` with the standard library alone."""

import json
from argparse import Namespace
from dataclasses import asdict

from ipctune.errors import Exit
from ipctune.journal.status import read_status
from ipctune.journal.store import open_journal
from ipctune.report.status import render

__all__ = ["run"]


def run(args: Namespace) -> int:
    """Show what is set; `args.json` prints the model."""
    status = read_status(open_journal(create=False))
    print(json.dumps(asdict(status)) if getattr(args, "json", False) else render(status))
    return Exit.DONE
