"""`ipctune top`: one live screen of who talks to whom, and what that waits for."""

import sys
from typing import Any

import click

from ipctune.cli.live import CONTEXT, EPILOG, live_options, watch, whom_of
from ipctune.errors import NotPossible

__all__ = ["command"]


@click.command("top", epilog=EPILOG, context_settings=CONTEXT)
@live_options
@click.option("--json", "as_json", is_flag=True, help="One object (schema: docs/top.schema.json).")
def command(**asked: Any) -> int:
    """Show live who talks to whom, how much, what both sides wait for, and what that means.

    On a terminal: arrows move, s sorts, / filters by any word, p pauses, d writes what is shown as JSON
    into this folder, ? helps, q ends. Elsewhere, or with --json or --duration, it is one text or object.

    \b
    Touches: nothing; eBPF programs are in the kernel while it runs.
    Needs:   root (or CAP_BPF and CAP_PERFMON), Linux 5.17 with BTF; for the
             screen that moves ipctune[top].
    """
    from ipctune.report.top import render_overview
    from ipctune.trace.overview import Watcher, between

    if asked["as_json"] or asked["duration"] is not None or not sys.stdout.isatty():
        return watch(Watcher, between, render_overview, asked)
    try:
        from ipctune.cli.top_screen import show
    except ImportError:
        raise NotPossible(
            "the screen that moves needs Textual", hint="pip install 'ipctune[top]'; or --duration 5s for one text"
        ) from None
    return show(whom_of(asked))
