"""The options of `tune` that are about a command of the user's."""

import os
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from ipctune.errors import WrongUse
from ipctune.workload.metric import reader
from ipctune.workload.model import CommandLine

__all__ = ["command_line"]

_ITS_OWN = ("metric", "lower_is_better", "private", "prepare", "cleanup", "timeout")
_THE_PAIRS = ("mechanism", "pattern", "size", "capacity", "rate")


def command_line(options: Mapping[str, Any]) -> CommandLine | None:
    """What --command and its companions say; None without it. Raises WrongUse where they don't fit together."""
    if options["line"] is None:
        _none_of(_ITS_OWN, "belongs to --command", "ipctune tune --command 'CMD' --metric REGEX")
        return None
    if not options["line"].strip():
        raise WrongUse("--command is empty")
    if options["metric"] is None:
        raise WrongUse(
            "--command needs --metric", hint="--metric 'requests/s: ([0-9.]+)', or --metric json:latency.p50"
        )
    _none_of(_THE_PAIRS, "is the built-in pair's; a command has one load", "leave it out")
    reader(options["metric"])
    return CommandLine(
        command=options["line"],
        metric=options["metric"],
        lower_is_better=options["lower_is_better"],
        private=options["private"],
        prepare=options["prepare"] or "",
        cleanup=options["cleanup"] or "",
        timeout=options["timeout"],
        folder=os.getcwd(),  # noqa: PTH109 - as text
    )


def _none_of(names: tuple[str, ...], why: str, hint: str) -> None:
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, None):
            raise WrongUse(f"--{name.replace('_', '-')} {why}", hint=hint)
