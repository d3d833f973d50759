"""`ipctune bench`: measure every way to communicate here."""

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ipctune.cli.params import DURATION, SIZE
from ipctune.cli.recommend import asks, recommend_options, run_recommend
from ipctune.errors import Exit, NotPossible

if TYPE_CHECKING:
    from ipctune.bench.matrix import BenchResult

__all__ = ["alone", "command"]


@click.command(short_help="Measure every way to communicate on this machine.")
@click.option("--quick", is_flag=True, help="Under 20 s, the answer on one screen.")
@click.option("--mechanism", "mechanisms", multiple=True, help="Only this one; may be repeated.")
@click.option("--pattern", type=click.Choice(["ping-pong", "stream"]), help="Only this pattern.")
@click.option("--size", type=SIZE, default="64", show_default=True, help="Bytes a message: 64, 4K, 1M.")
@click.option("--cpus", metavar="same|across|free|A,B", help="Where the two sides run.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Messages a second, Poisson arrivals; default: as fast as it goes.",
)
@click.option("--time", "seconds", type=DURATION, help="How long, such as 30s or 2m (default 60s).")
@click.option("--curve", "curve_only", is_flag=True, help="The wake-cost curve alone, in 4 s.")
@click.option("--json", "as_json", is_flag=True, help="JSON of docs/bench.schema.json on stdout.")
@click.option("--seed", type=click.IntRange(min=0), help="Repeat order, arrivals and payload.")
@recommend_options
def command(
    *,
    quick: bool,
    mechanisms: tuple[str, ...],
    pattern: str | None,
    size: int,
    cpus: str | None,
    rate: float,
    seconds: float | None,
    curve_only: bool,
    as_json: bool,
    seed: int | None,
    **recommending: Any,
) -> int:
    """Measure how two processes talk here: every mechanism, on one vCPU and on two.

    \b
    Touches: nothing; saves the run in the state folder. Keeps two vCPUs busy meanwhile.
    Needs:   the measuring core (./run builds it); no root.

    Each figure comes from blocks of two bare C processes, interleaved in random order. Times of a
    round trip are labelled RT; the CPU time of both sides stands beside them. The wake-cost curve
    shows what a message to an idle vCPU costs and who polls. Ctrl-C shows what was measured so far.
    With --recommend it says which one to use for a message of yours; --with-lever sets the idle lever
    for moments, asks first and takes it back (docs/recommend.md).

    \b
    ipctune bench --recommend --size 4K --rate 1000 --work 10us
    ipctune bench --recommend --map --pattern stream
    """
    if asks(recommending):
        own = {"quick": quick, "mechanisms": mechanisms, "pattern": pattern, "size": size, "cpus": _placement(cpus)}
        own |= {"rate": rate, "seconds": seconds, "curve_only": curve_only, "seed": seed}
        return run_recommend(recommending, as_json=as_json, **own)
    from ipctune.bench.session import DEFAULT_S, QUICK_S, Request, prepare

    request = Request(
        mechanisms=mechanisms,
        pattern=pattern,
        size=size,
        cpus=_placement(cpus),
        rate=rate,
        seconds=seconds or (QUICK_S if quick else DEFAULT_S),
        quick=quick,
        curve_only=curve_only,
        seed=secrets.randbelow(1 << 31) if seed is None else seed,
    )
    session = prepare(request)
    with alone(), _progress(session.steps, session.estimate_s) as tick:
        result = session.run(tick=tick)
    if result.interrupted and not result.rows and result.wake is None:
        raise KeyboardInterrupt
    _show(result, quick, as_json)
    if result.interrupted:
        return Exit.INTERRUPTED
    return Exit.INTERNAL if result.failed else Exit.DONE


def _placement(cpus: str | None) -> str | None:
    if cpus is None or cpus in ("same", "across", "free") or "," in cpus:
        return cpus
    raise click.BadParameter(f"{cpus}: same, across, free, or two vCPUs such as 0,1")


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of whoever measures: two measurements at once measure each other.

    Who sets something takes another one, so that a deadline or `revert` need not wait for us. Raises NotPossible
    with the other's pid. Where no state folder can be had, nothing can be locked.
    """
    from ipctune.host.state import open_state
    from ipctune.journal.lock import measuring

    try:
        state = open_state()
    except NotPossible:
        state = None
    if state is None:
        yield
        return
    with measuring(state):
        yield


@contextmanager
def _progress(steps: int, seconds: float) -> Iterator[Callable[[], None]]:
    """A bar with an estimate on a terminal's standard error; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    label = f"measuring, about {seconds:.0f} s"
    with click.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield lambda: bar.update(1)


def _show(result: "BenchResult", quick: bool, as_json: bool) -> None:
    from ipctune.bench.runs import save, to_json
    from ipctune.report.bench import render
    from ipctune.report.style import Style

    try:
        saved = f"saved: {save(result)}"
    except NotPossible as error:
        saved = f"not saved: {error.what}"
    if as_json:
        click.echo(to_json(result))
        click.echo(saved, err=True)
        return
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    click.echo(render(result, Style.auto(sys.stdout), quick=quick, unicode=unicode))
    click.echo(saved)
