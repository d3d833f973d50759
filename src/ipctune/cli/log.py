"""`ipctune log`: what was tried, kept and undone."""

import json
import shutil
import sys

import click

from ipctune.errors import Exit

__all__ = ["command"]


@click.command("log", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-n", "count", type=click.IntRange(1), default=40, show_default=True, help="Newest lines to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(count: int, as_json: bool) -> int:
    """Show what was tried, kept, committed and undone, oldest first.

    \b
    Touches: nothing.
    Needs:   root to see what root did.
    """
    from ipctune.journal.store import open_journal
    from ipctune.report.log import render

    journal = open_journal(create=False)
    lines = journal.log()[-count:] if journal else []
    if as_json:
        for line in lines:
            print(json.dumps(line))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None  # a line each for other programs
        print(render(lines, width) if lines else "nothing has been tried here yet")
    return Exit.DONE
