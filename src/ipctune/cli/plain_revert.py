"""`revert` with the standard library alone."""

import json
import os
import sys
from argparse import Namespace
from dataclasses import asdict

from ipctune.errors import Exit, NotPossible
from ipctune.host.state import hidden_state
from ipctune.journal.lasting import files_there
from ipctune.journal.session import revert
from ipctune.journal.store import open_journal
from ipctune.report.undone import render

__all__ = ["run"]


def run(args: Namespace) -> int:
    """Put everything back to its first original; `args.json` prints what became of each setting.

    Raises NotPossible where files of a commit are there that no record of ours knows.
    """
    journal = open_journal(create=False)
    outcomes = [] if journal is None else revert(journal)
    unknown, hidden = files_there(), hidden_state()
    if getattr(args, "json", False):
        print(json.dumps([asdict(part) for part in outcomes]), flush=True)
    elif outcomes or not unknown:
        print(render(outcomes, whose=" of yours" if hidden else ""), flush=True)
    if hidden:
        print(f"what root may have set can't be seen by this user ({hidden}):", file=sys.stderr)
        print("sudo ipctune revert", file=sys.stderr)
    if unknown:
        _name(unknown)
    return Exit.DONE


def _name(unknown: list[str]) -> None:
    """Files whose originals nobody here knows; for another state folder or user than theirs that is no failure."""
    what = f"files of a commit are there, and no record here says what they replaced: {', '.join(unknown)}"
    if os.geteuid() != 0 or os.environ.get("IPCTUNE_STATE"):
        print(f"ipctune: {what}; root, without IPCTUNE_STATE, may know them", file=sys.stderr)
    else:
        raise NotPossible(what, hint="ipctune uninstall removes them; what they have set stays until a reboot")
