"""`ipctune status`: what is set now."""

import json
import sys
from dataclasses import asdict

import click

from ipctune.errors import Exit

__all__ = ["command"]


@click.command("status", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="Print the model.")
def command(as_json: bool) -> int:
    """Show what is set, what it was, since when, and what it costs.

    \b
    Touches: nothing.
    Needs:   root to see what root set.
    """
    from ipctune.journal.status import read_status
    from ipctune.journal.store import open_journal
    from ipctune.report.status import render
    from ipctune.report.style import Style

    journal = open_journal(create=False)
    status = read_status(journal)
    if as_json:
        print(json.dumps(asdict(status)))
        return Exit.DONE
    verdict, effects = "", {}
    if journal is not None and status.settings:
        from ipctune.cli.verdicts import effects_of, freshness

        verdict, effects = freshness(journal.state, status.run), effects_of(journal.state, status.run)
    print(render(status, Style.auto(sys.stdout), verdict=verdict, effects=effects))
    return Exit.DONE
