"""The options of `tune` that are about a command of the user's, or a real server."""

import os
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from ipctune.errors import WrongUse
from ipctune.tune.attached import whom_of
from ipctune.tune.model_target import Hit, Target
from ipctune.tune.target import find_target, hits_of
from ipctune.workload.metric import reader
from ipctune.workload.model import CommandLine
from ipctune.workload.registry import make

__all__ = ["command_line", "named_service", "named_target", "named_workload"]

_ITS_OWN = ("metric", "lower_is_better", "private", "prepare", "cleanup", "timeout")
_THE_PAIRS = ("mechanism", "pattern", "size", "capacity", "rate")


def command_line(options: Mapping[str, Any]) -> CommandLine | None:
    """What --command and its companions say; None without it. Raises WrongUse where they don't fit together."""
    if options["line"] is None:
        _none_of(_ITS_OWN, "belongs to --command", "ipctune tune --command 'CMD' --metric REGEX")
        return None
    if options["workload"] is not None:
        raise WrongUse("--command and --workload exclude each other: one thing is measured", hint="leave one out")
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


def named_workload(options: Mapping[str, Any]) -> tuple[str, float | None]:
    """What --workload says, a file with its whole path, and the rate where one was asked for; "" without it.

    Raises WrongUse for a name that is none, or beside what belongs to the pair.
    """
    name = options["workload"]
    if name is None:
        return "", None
    _none_of(_THE_PAIRS[:-1], "is the built-in pair's; a server has its own", "leave it out")
    given = click.get_current_context().get_parameter_source("rate") is not ParameterSource.DEFAULT
    rate = float(options["rate"]) if given else None
    path = os.path.abspath(name) if "/" in name or name.endswith(".toml") else name  # noqa: PTH100 - as text
    make(path, rate)
    return path, rate


def named_target(options: Mapping[str, Any]) -> tuple[Target | None, tuple[Hit, ...]]:
    """What --target and --refused say. Raises WrongUse and NotPossible."""
    if options["target"] is None:
        _none_of(("refused",), "belongs to --target", "ipctune tune --target PID --refused LIMIT=N")
        return None, ()
    return find_target(options["target"]), hits_of(options["refused"])


def named_service(options: Mapping[str, Any]) -> str:
    """What --attach says; "" without it. Raises WrongUse beside what else is measured, NotPossible for nobody."""
    name = options["attach"]
    if name is None:
        return ""
    for other in ("line", "workload", "target"):
        if options[other] is not None:
            word = {"line": "command"}.get(other, other)
            raise WrongUse(f"--attach and --{word} exclude each other: one thing is measured", hint="leave one out")
    _none_of(_THE_PAIRS, "is the built-in pair's; a service has its own traffic", "leave it out")
    if not name.strip():
        raise WrongUse("--attach takes a process id or a unit")
    whom_of(name).processes()
    return str(name)


def _none_of(names: tuple[str, ...], why: str, hint: str) -> None:
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, None):
            raise WrongUse(f"--{name.replace('_', '-')} {why}", hint=hint)
