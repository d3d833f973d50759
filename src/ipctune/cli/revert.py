"""`ipctune revert`: everything back, at once, without a question."""

from argparse import Namespace

import click

__all__ = ["command"]


@click.command("revert", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="Print what became of each setting.")
def command(as_json: bool) -> int:
    """Put every setting back to its first original, committed or not.

    \b
    Touches: what ipctune set, and nothing else: a value that someone else changed
             since is left alone and named. Files of a commit are removed.
    Needs:   root for what root set. Never asks; may run any number of times.
    """
    from ipctune.cli.plain_revert import run

    return run(Namespace(json=as_json))
