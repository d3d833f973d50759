"""`ipctune compare`: what changed from one run of `bench` to another."""

import json
import sys
from dataclasses import asdict

import click
from click.shell_completion import CompletionItem

from ipctune.cli.output import shows_unicode
from ipctune.errors import Exit, NotPossible, WrongUse

__all__ = ["command"]


def _complete(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    from ipctune.bench.runs import short_names

    try:
        found = [CompletionItem(name) for name in short_names() if name.startswith(begun)]
    except NotPossible:
        found = []
    return found or [CompletionItem(begun, type="file")]


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a", default="previous", shell_complete=_complete)
@click.argument("b", default="latest", shell_complete=_complete)
@click.option("--check", is_flag=True, help="Exit 1 if something got worse.")
@click.option("--all", "everything", is_flag=True, help="Show cells without a change too.")
@click.option("--json", "as_json", is_flag=True, help="JSON of docs/compare.schema.json.")
@click.option("--csv", "as_csv", is_flag=True, help="A line a cell.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A page without names and addresses.")
def command(a: str, b: str, *, check: bool, everything: bool, as_json: bool, as_csv: bool, as_markdown: bool) -> int:
    """Show what got better or worse from run A to run B, cell by cell.

    \b
    Touches: nothing.
    Needs:   two saved runs of `ipctune bench`; no root, except for root's runs.

    A and B are the names that `bench` printed, files of `bench --json` (also another machine's),
    `latest` or `previous`; alone it compares these two. What differs between the machines comes
    first. Intervals are those of blocks that were not measured in pairs, for all cells together at
    95 %, and wider by how far the machine's level moved within each run. A change below 5 % is
    never called one. Cells with too few blocks are undecided: a longer --time gives them more.
    """
    from ipctune.bench.compare import compare
    from ipctune.bench.runs import find
    from ipctune.report.compare import render_compare, render_compare_csv, render_compare_markdown
    from ipctune.report.style import Style

    if as_json + as_csv + as_markdown > 1:
        raise WrongUse("--json, --csv and --markdown are three answers", hint="leave all but one out")
    (name_a, run_a), (name_b, run_b) = find(a), find(b)
    found = compare(run_a, run_b, (name_a, name_b))
    if as_json:
        print(json.dumps(asdict(found), allow_nan=False, ensure_ascii=False))
    elif as_csv:
        print(render_compare_csv(found))
    elif as_markdown:
        print(render_compare_markdown(found))
    else:
        print(render_compare(found, Style.auto(sys.stdout), everything=everything, unicode=shows_unicode(sys.stdout)))
    return Exit.CHECK_FAILED if check and found.is_worse else Exit.DONE
