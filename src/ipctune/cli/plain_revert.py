"""`revert` with the standard library alone."""

import json
from argparse import Namespace
from dataclasses import asdict

from ipctune.errors import Exit
from ipctune.journal.session import revert
from ipctune.journal.store import open_journal
from ipctune.report.undone import render

__all__ = ["run"]


def run(args: Namespace) -> int:
    """Put everything back to its first original; `args.json` prints what became of each setting."""
    journal = open_journal(create=False)
    outcomes = [] if journal is None else revert(journal)
    print(json.dumps([asdict(part) for part in outcomes]) if getattr(args, "json", False) else render(outcomes))
    return Exit.DONE
