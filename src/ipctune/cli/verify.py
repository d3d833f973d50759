"""`ipctune verify`: does what is set still help?"""

import json
import sys
from dataclasses import asdict

import click

from ipctune.cli.params import DURATION
from ipctune.errors import Exit, NotPossible

__all__ = ["command"]


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--time", "seconds", type=DURATION, default="30s", show_default=True, help="How long to measure.")
@click.option("--check", is_flag=True, help="Exit 1 unless it still helps.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures.")
def command(seconds: float, check: bool, as_json: bool) -> int:
    """Read back what is set, and measure again whether it still helps.

    \b
    Touches: what is set is put aside for half a second at a time, and back in force
             at the end.
    Needs:   something that is active or committed, and root for what root set.
    """
    from ipctune.cli.progress import Progress
    from ipctune.cli.signals import ended_by_signals
    from ipctune.host import read_host
    from ipctune.journal.store import open_journal
    from ipctune.report.style import Style
    from ipctune.report.verify import render
    from ipctune.tune.model import Settings
    from ipctune.tune.save import load
    from ipctune.tune.verify import verify

    journal = open_journal(create=False)
    active = journal.active() if journal else None
    if journal is None or active is None:
        raise NotPossible("nothing is active", hint="ipctune tune tries what helps here")
    try:
        settings = load(journal.state, f"runs/{active.run}.json").settings
    except NotPossible:
        settings = Settings()
    with Progress() as progress, ended_by_signals():
        progress.stage("verify", seconds)
        found = verify(read_host(), settings, journal, seconds, progress.tick)
        journal.note("verified", word=found.word, run=active.run)
    print(json.dumps(asdict(found)) if as_json else render(found, Style.auto(sys.stdout)))
    return Exit.CHECK_FAILED if check and found.word != "still helps" else Exit.DONE
