"""`ipctune explain`: what a line from a log means on this machine."""

import json
import sys

import click

from ipctune.errors import Exit, WrongUse

__all__ = ["command"]

_LONGEST = 1 << 16


@click.command("explain", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="Print the model (schema: docs/explain.schema.json).")
@click.argument("words", nargs=-1, metavar="'A LINE FROM A LOG'")
def command(as_json: bool, words: tuple[str, ...]) -> int:
    """Say which limits can cause a line, which is near its ceiling now and who holds it, and the smallest fix.

    `-` reads the line (or a whole traceback) from standard input. A line that is not known is answered with
    the nearest ones that are, and exit code 0.

    \b
    Touches: nothing.
    Needs:   root, to see other users' programs.
    """
    from ipctune.host.plain import plain
    from ipctune.report.explain import render
    from ipctune.report.style import Style
    from ipctune.services.explain import explain
    from ipctune.services.look import look

    line = sys.stdin.read(_LONGEST) if words == ("-",) else " ".join(words)
    if not line.strip():
        raise WrongUse("no line was given", hint="ipctune explain 'connect() to unix:/run/x.sock failed (11: …)'")
    told = explain(line.strip(), look())
    print(json.dumps(plain(told), indent=2) if as_json else render(told, Style.auto(sys.stdout)))
    return Exit.DONE
