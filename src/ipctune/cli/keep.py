"""`ipctune keep`: a longer trial of what is set."""

from time import localtime, strftime

import click

from ipctune.cli.params import DURATION
from ipctune.errors import Exit, NotPossible

__all__ = ["command"]


@click.command("keep", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--for", "seconds", type=DURATION, default="24h", show_default=True, help="From now on, such as 2h or 7d."
)
def command(seconds: float) -> int:
    """Prolong what is set, to try it over a day's peak.

    \b
    Touches: the deadline alone.
    Needs:   something that is active (`ipctune status`), and root for what root set.
    """
    from ipctune.journal.session import prolong
    from ipctune.journal.store import open_journal

    journal = open_journal(create=False)
    if journal is None:
        raise NotPossible("nothing is active", hint="ipctune tune tries what helps here")
    active = prolong(journal, seconds)
    until = strftime("%Y-%m-%d %H:%M:%S", localtime(active.until))
    print(f"active until {until}, then everything goes back; ipctune commit makes it last")
    return Exit.DONE
