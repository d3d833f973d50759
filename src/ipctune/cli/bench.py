"""`ipctune bench`: measure every way to communicate here."""

import secrets
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ipctune.cli.params import DURATION, SETTING, SIZES
from ipctune.cli.recommend import asks, own_options, recommend_options, run_recommend
from ipctune.errors import Exit, NotPossible, WrongUse

if TYPE_CHECKING:
    from ipctune.bench.request import Request

__all__ = ["command"]

_HOW = ("resume", "seconds", "as_json", "as_csv", "as_markdown")
"""Options that go with --resume: the others are those of the run that goes on."""


def _complete_patterns(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    from ipctune.bench.spec import PATTERNS

    return [CompletionItem(name) for name in PATTERNS if name.startswith(begun)]


def _complete_partials(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    from ipctune.bench.partial import names
    from ipctune.host.state import open_state

    try:
        state = open_state(create=False)
        found = names(state) if state is not None else []
    except NotPossible:
        found = []
    return [CompletionItem(name) for name in reversed(found) if name.startswith(begun)]


@click.command(short_help="Measure every way to communicate on this machine.")
@click.option("--quick", is_flag=True, help="Under 20 s, the answer on one screen.")
@click.option("--full", is_flag=True, help="The whole matrix: every pattern, size and option.")
@click.option("--mechanism", "mechanisms", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--pattern", "patterns", multiple=True, shell_complete=_complete_patterns, help="Only this one; may be repeated."
)
@click.option(
    "--size",
    "sizes",
    type=SIZES,
    multiple=True,
    help="Bytes a message (default 64): 64, 64,4K, 64-1M; may be repeated.",
)
@click.option(
    "--cpus",
    "--placement",
    "placements",
    multiple=True,
    metavar="same|across|free|A,B",
    help="Where the two sides run; may be repeated.",
)
@click.option(
    "--option", "options", type=SETTING, multiple=True, help="Also with this, such as capacity=64K,1M; may be repeated."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Messages a second, Poisson arrivals; default: as fast as it goes.",
)
@click.option(
    "--time", "seconds", type=DURATION, help="How long, such as 30s or 5m (default 60s; a matrix: all of it)."
)
@click.option("--curve", "curve_only", is_flag=True, help="The wake-cost curve alone, in 4 s.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="",
    metavar="[RUN]",
    shell_complete=_complete_partials,
    help="Go on with a run that was stopped or killed (the newest).",
)
@click.option("--json", "as_json", is_flag=True, help="JSON of docs/bench.schema.json on stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="A line a cell.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A page without names and addresses.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat order, arrivals and payload.")
@recommend_options
def command(**options: Any) -> int:
    """Measure how two processes talk here: every mechanism, on one vCPU and on two.

    \b
    Touches: nothing; saves the run in the state folder. Keeps two vCPUs busy meanwhile.
    Needs:   the measuring core (./run builds it); no root.

    Each figure comes from blocks of two bare C processes, interleaved in random order. Times of a
    round trip are labelled RT; the CPU time of both sides stands beside them. The wake-cost curve
    shows what a message to an idle vCPU costs and who polls. The limits of this machine are measured
    as well, and ×min is a figure over the least that they allow.

    A matrix (--full, or several sizes or options) measures what matters first: ping-pong before
    stream, 64 B and 4 KiB before other sizes. With --time as many cells as fit get at least three
    blocks, and those that were not reached are named. Ctrl-C shows what was measured so far, and
    --resume goes on there. `ipctune compare` holds two runs against each other.

    With --recommend it says which one to use for a message of yours; --with-lever sets the idle lever
    for moments, asks first and takes it back (docs/recommend.md).

    \b
    ipctune bench --recommend --size 4K --rate 1000 --work 10us
    ipctune bench --recommend --map --pattern stream
    """
    from ipctune.cli.bench_run import measure, show
    from ipctune.cli.measuring import alone

    recommending = own_options(options)
    if asks(recommending):
        return _recommend(options, recommending)
    how = [name for name in ("as_json", "as_csv", "as_markdown") if options[name]]
    if len(how) > 1:
        raise WrongUse("--json, --csv and --markdown are three answers", hint="leave all but one out")
    with alone() as state:
        result, words = measure(state, None if options["resume"] is not None else _request(options), _goes_on(options))
    show(result, words, how[0].removeprefix("as_") if how else "text", quick=options["quick"])
    if result.interrupted:
        return Exit.INTERRUPTED
    return Exit.INTERNAL if result.failed else Exit.DONE


def _recommend(options: dict[str, Any], recommending: dict[str, Any]) -> int:
    for name, word in (("full", "--full"), ("options", "--option"), ("resume", "--resume"), ("as_csv", "--csv")):
        if options[name]:
            raise WrongUse(f"{word} and --recommend are two runs", hint="leave one out")
    own = {name: options[name] for name in ("quick", "mechanisms", "rate", "seconds", "curve_only", "seed")}
    own["pattern"] = _only("--pattern", tuple(map(_pattern, options["patterns"])))
    own["cpus"] = _only("--cpus", tuple(map(_placement, options["placements"])))
    own["sizes"] = tuple(dict.fromkeys(size for some in options["sizes"] for size in some))
    return run_recommend(recommending, as_json=options["as_json"], markdown=options["as_markdown"], **own)


def _only(word: str, given: tuple[str, ...]) -> str | None:
    if len(given) > 1:
        raise WrongUse(f"--recommend takes one {word}")
    return given[0] if given else None


def _request(options: dict[str, Any]) -> "Request":
    from ipctune.bench.request import DEFAULT_S, QUICK_S, Request

    quick, seed = options["quick"], options["seed"]
    if quick and options["full"]:
        raise WrongUse("--quick and --full are two runs", hint="leave one out")
    asked = Request(
        mechanisms=options["mechanisms"],
        patterns=tuple(dict.fromkeys(map(_pattern, options["patterns"]))),
        sizes=tuple(dict.fromkeys(size for some in options["sizes"] for size in some)),
        placements=tuple(dict.fromkeys(map(_placement, options["placements"]))),
        options=tuple(_merged(options["options"]).items()),
        rate=options["rate"],
        seconds=options["seconds"],
        quick=quick,
        full=options["full"],
        curve_only=options["curve_only"],
        seed=secrets.randbelow(1 << 31) if seed is None else seed,
    )
    if asked.seconds is not None or (asked.many and not quick):
        return asked
    import dataclasses

    return dataclasses.replace(asked, seconds=QUICK_S if quick else DEFAULT_S)


def _merged(given: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, values in given:
        found[name] = (*found.get(name, ()), *values)
    return found


def _goes_on(options: dict[str, Any]) -> tuple[str, float | None]:
    """Which run goes on, and for how long. Raises WrongUse for what belongs to a new one."""
    context = click.get_current_context()
    if options["resume"] is not None:
        for name in options:
            if name not in _HOW and context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                word = {"options": "--option", "curve_only": "--curve"}.get(name, f"--{name.removesuffix('s')}")
                raise WrongUse(f"{word} belongs to a new run: --resume goes on as that one began")
    return options["resume"] or "", options["seconds"]


def _pattern(name: str) -> str:
    from ipctune.bench.spec import PATTERNS

    if name not in PATTERNS:
        raise click.BadParameter(f"{name}: one of {', '.join(PATTERNS)}")
    return name


def _placement(cpus: str) -> str:
    if cpus in ("same", "across", "free") or "," in cpus:
        return cpus
    raise click.BadParameter(f"{cpus}: same, across, free, or two vCPUs such as 0,1")
