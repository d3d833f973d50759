"""What `ipctune bench` does once it knows what is asked: measure, keep, save, show."""

import sys
from typing import TYPE_CHECKING

import click

from ipctune.cli.output import shows_unicode
from ipctune.errors import NotPossible

if TYPE_CHECKING:
    from ipctune.bench.machine import Here
    from ipctune.bench.matrix import BenchResult
    from ipctune.bench.partial import Partial
    from ipctune.bench.request import Request
    from ipctune.bench.session import Session
    from ipctune.host.state import State

__all__ = ["measure", "show"]


def measure(
    state: "State | None", request: "Request | None", goes_on: tuple[str, float | None]
) -> tuple["BenchResult", list[str]]:
    """A new run, or without a request the one that goes on: its result, and words about where it is kept.

    Raises KeyboardInterrupt where nothing was measured, NotPossible and WrongUse.
    """
    from ipctune.bench.machine import here
    from ipctune.bench.session import prepare
    from ipctune.cli.measuring import block_progress
    from ipctune.cli.signals import ended_by_signals
    from ipctune.host import read_host
    from ipctune.host.core import find_core

    now = here(read_host(quick=True), find_core())
    session = _resumed(state, goes_on, now) if request is None else prepare(request)
    partial = session.before or _kept(state, session, now)
    try:
        with ended_by_signals(), block_progress(session.steps, session.estimate_s) as tick:
            result = session.run(tick=tick, partial=partial, machine=now.machine)
    except BaseException:
        if partial is not None and not partial.measured.count:
            partial.remove()
        raise
    if result.interrupted and not result.rows and result.wake is None:
        if partial is not None:
            partial.remove()
        raise KeyboardInterrupt
    return result, [_saved(result), *_left(result, partial)]


def _resumed(state: "State | None", goes_on: tuple[str, float | None], now: "Here") -> "Session":
    from ipctune.bench.machine import changed
    from ipctune.bench.partial import load
    from ipctune.bench.session import go_on

    name, seconds = goes_on
    before = load(state, name or None)
    differs = changed(before.begun.here, now)
    if differs:
        more = f" and {len(differs) - 3} more" if len(differs) > 3 else ""
        raise NotPossible(
            f"{before.name} can't go on: {'; '.join(differs[:3])}{more}",
            hint="blocks of two boots, machines or settings are never mixed: start anew, then ipctune compare",
        )
    if before.dropped:
        click.echo("a torn last line was dropped: that block is measured again", err=True)
    return go_on(before, seconds)


def _kept(state: "State | None", session: "Session", now: "Here") -> "Partial | None":
    """Where its blocks are put down as they come; None where nothing can be, or there are none."""
    from ipctune.bench.partial import begin

    if state is None or not session.plan.cells:
        return None
    try:
        return begin(state, session.begun(now))
    except NotPossible as error:
        click.echo(f"can't be resumed if it is stopped: {error.what}", err=True)
        return None


def _saved(result: "BenchResult") -> str:
    from ipctune.bench.runs import save

    try:
        return f"saved: {save(result)}"
    except NotPossible as error:
        return f"not saved: {error.what}"


def _left(result: "BenchResult", partial: "Partial | None") -> list[str]:
    """The word to go on with; a run that is whole needs none."""
    if partial is None:
        return []
    if partial.lost:
        return [f"can't go on with --resume: {partial.lost}"]
    if result.interrupted:
        return [f"go on: ipctune bench --resume {partial.name}"]
    if result.unreached:
        return [f"reach the rest: ipctune bench --resume {partial.name} --time 5m"]
    partial.remove()
    return []


def show(result: "BenchResult", words: list[str], how: str, *, quick: bool) -> None:
    """Print it as `how` says: text, json, csv or markdown. Beside all but text, `words` go to standard error."""
    from ipctune.bench.runs import to_json
    from ipctune.report.bench import render
    from ipctune.report.bench_table import render_csv, render_markdown
    from ipctune.report.style import Style

    made = {"json": to_json, "csv": render_csv, "markdown": render_markdown}.get(how)
    click.echo(
        made(result) if made else render(result, Style.auto(sys.stdout), quick=quick, unicode=shows_unicode(sys.stdout))
    )
    for line in words:
        click.echo(line, err=how != "text")
