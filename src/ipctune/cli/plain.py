"""`python3 -m ipctune.cli.plain`: looking and undoing with the standard library alone.

For machines where no environment can be made: no python3-venv, no root, no network. Same output, same exit codes.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from ipctune import __version__
from ipctune.cli.output import complain, drop, settle, unwritten
from ipctune.errors import EXIT_CODES, Exit, IpctuneError

__all__ = ["main"]

_COMMANDS = {
    "inspect": (
        "Say what machine this is.",
        "nothing. With --record, writes that one file.",
        "nothing. Root sees more.",
    ),
    "status": ("Show what is set now.", "nothing.", "root, to see what root set."),
    "revert": (
        "Put every setting back to its first original.",
        "what is set, and the journal in the state folder.",
        "root, for what root set.",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _flushed(given)
    except IpctuneError as error:
        return _complain(error.what, error.hint, error.exit_code)
    except KeyboardInterrupt:
        return _complain("ended by Ctrl-C", "", Exit.INTERRUPTED)
    except BrokenPipeError:
        drop(sys.stdout)
        return Exit.DONE
    except Exception as error:
        if isinstance(error, OSError) and (why := unwritten(error)):
            drop(sys.stdout)
            return _complain(f"the output can't be written: {why}", "", Exit.NOT_POSSIBLE)
        if os.environ.get("IPCTUNE_DEBUG"):
            raise
        hint = "please report this, with the output of IPCTUNE_DEBUG=1"
        return _complain(f"internal error: {type(error).__name__}: {error}", hint, Exit.INTERNAL)


def _flushed(given: list[str]) -> int:
    """At Python's own flush, after us, a closed pipe would be an error."""
    try:
        code = _run(given)
    except SystemExit:  # argparse has printed its help
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _run(given: list[str]) -> int:
    parsed = _parser().parse_args(given)
    if parsed.command in ("status", "revert"):
        module = importlib.import_module(f"ipctune.cli.plain_{parsed.command}")
        return int(module.run(parsed))
    from ipctune.cli.looking import run_inspect

    return run_inspect(
        everything=parsed.all,
        as_json=parsed.json,
        check=parsed.check,
        root=parsed.root,
        record=parsed.record,
        watch=parsed.watch,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ipctune",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Look and undo with Python's standard library alone; the other commands need ./run.",
    )
    parser.add_argument("--version", action="version", version=f"ipctune {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="inspect | status | revert")
    for name, (short, touches, needs) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=short,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            description=f"{short}\n\nTouches: {touches}\nNeeds:   {needs}",
        )
        command.add_argument("--json", action="store_true", help="print the whole model")
        if name == "inspect":
            _add_inspect(command)
    return parser


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="show every limit, boot parameter and piece of evidence")
    parser.add_argument("--check", action="store_true", help="exit 1 if there is something to fix")
    parser.add_argument("--root", metavar="DIR", help="read a recorded machine: a folder, or a file made by --record")
    parser.add_argument("--watch", metavar="S", type=_seconds, help="watch your programs for that long: is it IPC?")
    parser.add_argument("--record", metavar="FILE", help="save what was read as tar.gz, without secrets and addresses")


def _seconds(text: str) -> float:
    """`10` or `10s` → seconds."""
    digits = text.removesuffix("s")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 5 or int(digits) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds; 10 or 10s is")
    return float(digits)


def _complain(what: str, hint: str, code: Exit) -> int:
    settle()
    complain(what, hint)
    return code


if __name__ == "__main__":
    sys.exit(main())
