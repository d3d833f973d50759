"""The `ipctune` command: finds each subcommand in its own file, and turns errors into exit codes.

A subcommand's module is imported only when it is called, so that `ipctune --help` stays fast.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import click

from ipctune import __version__
from ipctune.cli.output import complain, drop, settle, unwritten
from ipctune.errors import EXIT_CODES, Exit, IpctuneError

__all__ = ["main"]

_EPILOG = f"\b\n{EXIT_CODES}"  # click: as it stands
_GROUPS: dict[str, dict[str, str]] = {
    "look (changes nothing)": {
        "inspect": "What machine is this: platform, idle vCPUs, limits, findings.",
        "services": "Your services: which of their limits are near, who talks to whom.",
        "explain": "What a line from a log means, and the smallest fix.",
        "bench": "Measure every way to communicate on this machine.",
        "compare": "What got better or worse from one run of bench to another.",
        "graph": "Who talks to whom right now, by eBPF.",
        "top": "One live screen of it: pairs, rates, waits, findings in words.",
        "trace": "What programs do with IPC right now, by eBPF.",
        "sockets": "TCP or a Unix socket, for redis, postgres, nginx, php-fpm?",
        "status": "What is set now, since when, and what it costs.",
        "log": "What was tried, kept, undone, and when.",
        "why": "The evidence behind a knob's verdict.",
    },
    "try (comes back by itself)": {
        "tune": "Find the bottleneck, try what fits, prove it, keep it for 10 minutes.",
        "keep": "Prolong what is set, to try it over a day.",
        "verify": "Measure again whether what is set still helps.",
    },
    "keep or undo": {
        "commit": "Make what is set last (shows the files first).",
        "revert": "Put every setting back to its first original.",
        "uninstall": "Revert, and remove every file of ours.",
    },
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for group in _GROUPS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"ipctune.cli.{cmd_name}")
        command: click.Command = module.command
        if not command.epilog:
            command.epilog = _EPILOG
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ipctune")
def _ipctune() -> None:
    """Find what communication between processes costs on this virtual machine, and what helps.

    Every setting that is tried comes back by itself; nothing lasts before `ipctune commit`.
    Start with `ipctune inspect` (changes nothing) or `ipctune tune` (3 minutes).
    """


def main() -> None:
    """Run the command line and exit with one of `Exit`."""
    sys.exit(_guarded(_call))


def _call() -> int:
    try:
        result = _ipctune.main(prog_name="ipctune", standalone_mode=False)
    except click.exceptions.Abort:
        return Exit.INTERRUPTED
    except SystemExit:  # click's answer to a broken pipe
        raise BrokenPipeError from None
    except click.ClickException as error:
        error.show()
        return Exit.WRONG_USE
    return int(result) if isinstance(result, int) else Exit.DONE


def _guarded(call: Callable[[], Any]) -> int:
    """Run `call`; print what a user can act on, never a bare traceback for an expected error."""
    try:
        code = int(call())
        sys.stdout.flush()
        return code
    except IpctuneError as error:
        settle()
        complain(error.what, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        settle()
        complain("ended by Ctrl-C")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        drop(sys.stdout)
        return Exit.DONE
    except Exception as error:
        if isinstance(error, OSError) and (why := unwritten(error)):
            drop(sys.stdout)
            complain(f"the output can't be written: {why}")
            return Exit.NOT_POSSIBLE
        complain(f"internal error: {type(error).__name__}: {error}", _report_hint())
        return Exit.INTERNAL


def _report_hint() -> str:
    import os
    import traceback

    if os.environ.get("IPCTUNE_DEBUG"):
        traceback.print_exc()
    return "please report this, with the output of IPCTUNE_DEBUG=1 and `ipctune inspect --json`"
