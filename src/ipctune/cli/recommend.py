"""`ipctune bench --recommend`: which way to communicate, for your message on this machine."""

import re
import secrets
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ipctune.cli.output import shows_unicode
from ipctune.errors import Exit, WrongUse

if TYPE_CHECKING:
    from ipctune.bench.ask import Asked
    from ipctune.bench.recommendation import Lever, Recommendation
    from ipctune.cli.progress import Progress

__all__ = ["asks", "own_options", "recommend_options", "run_recommend"]

_NS = {"ns": 1, "us": 1000, "µs": 1000, "ms": 1_000_000, "s": 1_000_000_000}
_LONGEST_NS = 1_000_000_000
_USUAL_SIZE = 64

Command = Callable[..., Any]


def _work(_context: click.Context, _option: click.Parameter, text: str | None) -> int:
    """`10us`, `2ms`, `500ns` → ns, up to a second."""
    if text is None:
        return 0
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(ns|us|µs|ms|s)", text.strip())
    ns = round(float(match[1]) * _NS[match[2]]) if match else 0
    if not 0 < ns <= _LONGEST_NS:
        raise click.BadParameter(f"{text!r} is no time of work; 500ns, 10us, 2ms are (up to 1s)")
    return ns


_OPTIONS = (
    click.option("--recommend", is_flag=True, help="Which mechanism for this --size, --pattern, --rate and --work?"),
    click.option("--map", "is_map", is_flag=True, help="With --recommend: over sizes and patterns (default 3m)."),
    click.option("--work", "work_ns", callback=_work, metavar="TIME", help="What the server computes: 10us, 2ms."),
    click.option("--with-lever", is_flag=True, help="With --recommend: also with idle vCPUs polling; comes back."),
    click.option("-y", "--yes", is_flag=True, help="With --with-lever: do not ask."),
)


def recommend_options(command: Command) -> Command:
    """Add the options of `--recommend` to a command, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def own_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take those out of all options of the command."""
    return {name: options.pop(name) for name in ("recommend", "is_map", "work_ns", "with_lever", "yes")}


def asks(recommending: dict[str, Any]) -> bool:
    """Whether a recommendation is asked for. Raises WrongUse where only what goes with it is."""
    if recommending["recommend"]:
        return True
    for name, value in recommending.items():
        if value:
            word = {"is_map": "map", "work_ns": "work"}.get(name, name.replace("_", "-"))
            raise WrongUse(f"--{word} goes with --recommend")
    return False


def run_recommend(recommending: dict[str, Any], *, as_json: bool, markdown: bool, **bench: Any) -> int:
    """Measure and show; the exit code. `bench` holds the options that `bench` has itself."""
    asked = _asked(recommending, bench)
    lever = recommending["with_lever"]
    if as_json and markdown:
        raise WrongUse("--json and --markdown are two forms of the result", hint="leave one out")
    quiet = as_json or markdown
    result = _with_lever(asked, yes=recommending["yes"], quiet=quiet) if lever else _plain(asked)
    if result is None:
        return Exit.DONE
    if result.interrupted and not any(answer.looked for answer in result.answers):
        raise KeyboardInterrupt
    _show(result, as_json=as_json, markdown=markdown)
    return _code(result)


def _asked(recommending: dict[str, Any], bench: dict[str, Any]) -> "Asked":
    from ipctune.bench.ask import DEFAULT_S, MAP_S, MAP_SIZES, Asked
    from ipctune.bench.spec import PAIRS

    is_map, pattern, sizes = recommending["is_map"], bench["pattern"], bench["sizes"]
    if bench["quick"] or bench["curve_only"]:
        raise WrongUse("--quick and --curve are runs of their own", hint="--recommend takes --time")
    if is_map and recommending["with_lever"]:
        raise WrongUse("--with-lever goes with one size and pattern", hint="leave --map out")
    if pattern == "burst":
        raise WrongUse("--recommend has no answer for bursts", hint="bench --pattern burst shows who takes how many")
    if len(sizes) > 1 and not is_map:
        raise WrongUse("--recommend takes one --size", hint="--map takes several")
    return Asked(
        patterns=(pattern,) if pattern else PAIRS if is_map else PAIRS[:1],
        sizes=sizes or (MAP_SIZES if is_map else (_USUAL_SIZE,)),
        rate=bench["rate"],
        work_ns=recommending["work_ns"],
        cpus=bench["cpus"],
        mechanisms=tuple(bench["mechanisms"]),
        seconds=bench["seconds"] or (MAP_S if is_map else DEFAULT_S),
        seed=secrets.randbelow(1 << 31) if bench["seed"] is None else bench["seed"],
        is_map=is_map,
    )


def _plain(asked: "Asked") -> "Recommendation":
    """Nothing is set; of the lever it is only said what it would take."""
    from ipctune.bench.ask import estimate_s, recommend
    from ipctune.cli.measuring import alone
    from ipctune.cli.progress import Progress
    from ipctune.host import read_host
    from ipctune.tune.lever import about_lever

    about = None if asked.is_map else about_lever(read_host(quick=True), asked=False)
    with alone(), Progress() as progress:
        _announce(estimate_s(asked, lever=False))
        return recommend(asked, progress, about=about)


def _with_lever(asked: "Asked", *, yes: bool, quiet: bool) -> "Recommendation | None":
    """The same, and again with the lever on: set and taken back as a trial of `tune` does. None after a no."""
    from ipctune.bench.ask import estimate_s, recommend
    from ipctune.cli.progress import Progress
    from ipctune.cli.signals import ended_by_signals
    from ipctune.host import read_host
    from ipctune.journal.session import exclusive
    from ipctune.journal.store import open_journal
    from ipctune.report.recommend import render_plan
    from ipctune.tune.guard import Guard
    from ipctune.tune.lever import about_lever, find_lever, lever_on, paths_of

    if not yes and not sys.stdin.isatty():
        raise WrongUse(
            "--with-lever without a terminal needs --yes", hint="it sets what the plan says, and restores it"
        )
    journal = open_journal()
    assert journal is not None
    with Progress() as progress, ended_by_signals(), exclusive(journal) as recovered:
        for part in recovered:
            click.echo(f"put back first: {part.where or part.knob}", err=True)
        host = read_host(quick=True)
        about, found = about_lever(host, asked=True), find_lever(host)
        if about.knob is None or found is None:
            return _without(asked, progress, about)
        click.echo(render_plan(about, (*paths_of(*found), str(journal.state.path))), err=quiet)
        if not yes and not click.confirm("Start?", default=True, err=quiet):
            return None
        _announce(estimate_s(asked, lever=True))
        with lever_on(journal, Guard(host, progress.tick), found) as switch:
            return recommend(asked, progress, about=about, switch=switch)


def _without(asked: "Asked", progress: "Progress", about: "Lever") -> "Recommendation":
    """There is no lever here: the rest is measured all the same, and the answer says what it would take."""
    from ipctune.bench.ask import estimate_s, recommend

    _announce(estimate_s(asked, lever=False))
    return recommend(asked, progress, about=about)


def _announce(seconds: float) -> None:
    if sys.stderr.isatty():
        click.echo(f"about {seconds:.0f} s; Ctrl-C keeps what was measured", err=True)


def _show(result: "Recommendation", *, as_json: bool, markdown: bool) -> None:
    import json

    from ipctune.host.plain import plain
    from ipctune.report.recommend import render, render_markdown
    from ipctune.report.style import Style

    if as_json:
        text = json.dumps(plain(result), ensure_ascii=False, allow_nan=False)
    elif markdown:
        text = render_markdown(result)
    else:
        text = render(result, Style.auto(sys.stdout), unicode=shows_unicode(sys.stdout))
    click.echo(text)


def _code(result: "Recommendation") -> int:
    if result.interrupted:
        return Exit.INTERRUPTED
    if result.failed:
        return Exit.INTERNAL
    nothing = not any(answer.table for answer in result.answers)
    return Exit.NOT_POSSIBLE if nothing or result.stopped else Exit.DONE
