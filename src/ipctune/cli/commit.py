"""`ipctune commit`: make what is set last."""

import sys

import click

from ipctune.errors import Exit, NotPossible, WrongUse

__all__ = ["command"]


@click.command("commit", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed without a terminal.")
@click.option("--dry-run", is_flag=True, help="Show the files, and stop.")
def command(yes: bool, dry_run: bool) -> int:
    """Make what is set last over reboots.

    \b
    Touches: files in /etc/sysctl.d, /etc/tmpfiles.d, /etc/modules-load.d,
             /etc/modprobe.d and a systemd unit; it shows each one first.
             They need neither Python nor ipctune. `ipctune revert` removes them.
    Needs:   root, and something that is active (`ipctune status`).

    It refuses, naming file and line, where someone else's file would win at boot.
    """
    from ipctune.journal.commit import commit, preview
    from ipctune.journal.store import open_journal
    from ipctune.report.commit import render

    journal = open_journal(create=False)
    if journal is None:
        raise NotPossible("nothing is active", hint="ipctune tune tries what helps here")
    found = preview(journal)
    print(render(found))
    if dry_run:
        return Exit.DONE
    if not found.conflicts and not yes:
        if not sys.stdin.isatty():
            raise WrongUse("commit without a terminal needs --yes")
        if not click.confirm("Write these files?", default=False):
            return Exit.DONE
    commit(journal, found)
    print("committed; `ipctune status` shows it, `ipctune revert` undoes it")
    return Exit.DONE
