"""What `ipctune bench` found, as text: one screen for the quick run, every figure for the others.

Every figure of a round trip is labelled RT, and the CPU time a message stands beside it.
"""

import textwrap
from collections.abc import Iterable, Sequence

from ipctune.bench.matrix import BenchResult
from ipctune.bench.row import Row
from ipctune.bench.sizes import named
from ipctune.report import plot
from ipctune.report.bench_burst import burst_lines
from ipctune.report.bench_limits import limit_lines, multiple
from ipctune.report.bench_sizes import PLACES, left_out, many, size_tables
from ipctune.report.bench_wake import wake_lines
from ipctune.report.style import Style, in_ascii

__all__ = ["render"]

_MOST_FAILED = 10


def render(result: BenchResult, style: Style, *, quick: bool = False, unicode: bool = True) -> str:
    """The whole answer; `quick` keeps it within 24 lines of 80 columns, no `unicode` within ASCII."""
    lines = _head(result)
    plain = [row for row in result.rows if row.burst is None]
    if many(plain):
        lines += [*size_tables(plain), *burst_lines(result.rows, PLACES)]
    elif result.rows:
        lines += _matrix(result.rows) if quick else _full(result.rows)
        fastest = _fastest(result.rows)
        lines += ["", *fastest] if fastest else []
    if result.wake is not None:
        lines += [] if quick else [""]
        lines += wake_lines(result.wake, quick=quick, unicode=unicode)
    if not quick and not many(plain):
        lines += _histogram(result.rows, unicode)
    text = "\n".join([*lines, *_foot(result, style, quick)])
    return text if unicode else in_ascii(text)


def _head(result: BenchResult) -> list[str]:
    blocks = f"{result.blocks} blocks"
    if result.interrupted:
        blocks = f"ended by Ctrl-C after {result.blocks} of {result.planned_blocks} blocks"
    if not result.planned_blocks:
        blocks = "the wake-cost curve"
    line = f"{result.vcpus} vCPU, kernel {result.kernel}   {blocks} in {result.seconds:.0f} s"
    return [line, *_load(result.rows)]


def _load(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    sizes = sorted({row.spec.size for row in rows})
    rate = rows[0].spec.rate
    load = f"Poisson, {rate:,.6g}/s" if rate else "as fast as it goes"
    size = ", ".join(map(named, sizes))
    return textwrap.wrap(f"{size}, {load}; RT: round trip; times in µs", 80)


def _us(ns: float | None) -> str:
    if ns is None:
        return "unknown"
    us = ns / 1000
    return f"{us:,.2f}" if us < 10 else f"{us:,.1f}" if us < 100 else f"{us:,.0f}"


def _matrix(rows: Sequence[Row]) -> list[str]:
    """One line a mechanism: RT and CPU for every placement, and the stream's best."""
    places = [place for place in PLACES if any(row.placement == place for row in rows)]
    streams = any(row.spec.pattern == "stream" for row in rows)
    top = " " * 15 + "".join(f"{PLACES[place]:>18}" for place in places)
    under = " " * 15 + f"{'RT p50':>10}{'CPU/RT':>8}" * len(places)
    if streams:
        top, under = top + f"{'stream':>9}", under + f"{'k msg/s':>9}"
    lines = [top.rstrip(), under.rstrip()]
    for name in dict.fromkeys(row.spec.mechanism for row in rows):
        own = [row for row in rows if row.spec.mechanism == name]
        lines.append(_matrix_line(name, own, places, streams))
    return lines


def _matrix_line(name: str, rows: Sequence[Row], places: Sequence[str], streams: bool) -> str:
    line = f"{name:<15}"
    for place in places:
        row = _find(rows, "ping-pong", place)
        if row is None or row.p50_ns is None:
            line += f"{'-':>10}{'-':>8}"
        else:
            line += f"{_us(row.p50_ns.median):>10}{_us(row.cpu_ns_per_message):>8}"
    if streams:
        best = max((r.messages_per_second.median for r in rows if r.spec.pattern == "stream"), default=0)
        line += f"{best / 1000:>9,.0f}" if best else f"{'-':>9}"
    return line.rstrip()


def _find(rows: Iterable[Row], pattern: str, place: str) -> Row | None:
    return next((r for r in rows if r.spec.pattern == pattern and r.placement == place), None)


def _full(rows: Sequence[Row]) -> list[str]:
    """A table for each pattern and placement: round trips, one-way latencies, streams flat out; then bursts."""
    lines: list[str] = []
    wide = max((len(row.spec.mechanism) for row in rows), default=0) + 1
    patterns = list(dict.fromkeys(row.spec.pattern for row in rows if row.burst is None))
    for pattern in patterns:
        for kind in ("round-trip", "one-way", None):
            for place, name in PLACES.items():
                own = [r for r in rows if (r.spec.pattern, r.placement, r.kind) == (pattern, place, kind)]
                if own:
                    lines += ["", *_title(pattern, patterns), _head_line(own[0], name, wide)]
                    lines += [_line(row, wide) for row in sorted(own, key=_rank)]
    return [*lines, *burst_lines(rows, PLACES)]


def _title(pattern: str, patterns: Sequence[str]) -> list[str]:
    return [pattern] if len(patterns) > 1 else []


def _rank(row: Row) -> float:
    """The fastest first."""
    return row.p50_ns.median if row.p50_ns else -row.messages_per_second.median


def _head_line(row: Row, place: str, wide: int) -> str:
    if row.p50_ns is None:
        title, figures = f"{place}", f"{'k msg/s':>9}{'from-to':>13}{'×min':>5}{'MB/s':>8}"
    else:
        kind = "RT" if row.kind == "round-trip" else "1-way"
        title, figures = place, f"{kind + ' p50':>9}{'from-to':>13}{'×min':>5}{'p99':>8}"
    return f"{title:<{max(wide, 14) - 2}}{figures}{'CPU':>7}{'polled':>7}{'calls':>6}{'switch':>7}{'fault':>6}"


def _line(row: Row, wide: int) -> str:
    name = f"{row.spec.mechanism + ('!' if row.spoiled else ''):<{max(wide, 14)}}"
    times = multiple(row.times_floor)
    if row.p50_ns is not None:
        span = f"{_us(row.p50_ns.low)}-{_us(row.p50_ns.high)}"
        return f"{name}{_us(row.p50_ns.median):>7}{span:>13}{times:>5}{_us(row.p99_ns):>8}{_costs(row)}"
    speed = row.messages_per_second
    span = f"{speed.low / 1000:,.0f}-{speed.high / 1000:,.0f}"
    megabytes = f"{row.bytes_per_second / 1e6:,.0f}"
    return f"{name}{speed.median / 1000:>7,.0f}{span:>13}{times:>5}{megabytes:>8}{_costs(row)}"


def _costs(row: Row) -> str:
    polled = "-" if row.poll_ns_per_message is None else _us(row.poll_ns_per_message)
    return (
        f"{_us(row.cpu_ns_per_message):>7}{polled:>7}{row.syscalls_per_message:>6.2f}"
        f"{row.switches_per_message:>7.2f}{row.faults_per_message:>6.2f}"
    )


def _fastest(rows: Sequence[Row]) -> list[str]:
    """Which mechanism wins in each placement, and which the blocks can't tell from it."""
    lines = []
    for place, name in PLACES.items():
        trips = [r for r in rows if r.placement == place and r.kind == "round-trip"]
        if len(trips) > 1:
            lines.append(_winner(name, sorted(trips, key=_rank)))
    return lines


def _winner(place: str, trips: Sequence[Row]) -> str:
    best, *others = trips
    line = f"fastest, {place:<11}{best.spec.mechanism} {_us(_rank(best))} µs RT"
    close = [row for row in others if _overlap(best, row)]
    if not close:
        return f"{line}; slowest: {trips[-1].spec.mechanism} {_us(_rank(trips[-1]))}"
    if len(close) > 2:
        return f"{line}; {len(close)} others within its blocks' range"
    return f"{line}; not told apart from {', '.join(row.spec.mechanism for row in close)}"


def _overlap(best: Row, other: Row) -> bool:
    """Is the other's fastest block as fast as the best one's slowest?"""
    return best.p50_ns is not None and other.p50_ns is not None and other.p50_ns.low <= best.p50_ns.high


def _histogram(rows: Sequence[Row], unicode: bool) -> list[str]:
    """The latencies of the fastest pair on two vCPUs, or of the first row that has any."""
    timed = [row for row in rows if row.histogram]
    with_samples = sorted(timed, key=lambda row: (row.kind != "round-trip", _rank(row)))
    shown = next((row for row in with_samples if row.placement == "across"), None)
    shown = shown or next(iter(with_samples), None)
    if shown is None:
        return []
    label = "RT" if shown.kind == "round-trip" else "one way"
    title = f"{label}, {shown.spec.describe()}"
    return ["", title, *plot.histogram(shown.histogram, width=78, unicode=unicode)]


def _foot(result: BenchResult, style: Style, quick: bool) -> list[str]:
    lines = [style.red(f"FAILED: {cell.what}") for cell in result.failed[:_MOST_FAILED]]
    more = len(result.failed) - _MOST_FAILED
    lines += [style.red(f"FAILED: {more} more cells: --json, --csv or --markdown has them")] if more > 0 else []
    lines += limit_lines(result.limits, quick=quick)
    if result.wake is not None and (spoiled := sum(bool(p.spoiled) for p in result.wake.curve.points)):
        points = len(result.wake.curve.points)
        lines.append(f"{spoiled} of {points} points of the curve spoiled by steal or other programs")
    lines += left_out(result)
    if result.spoiled:
        lines.append(
            f"{result.spoiled} of {result.blocks} blocks spoiled (!) by steal or other programs"
            + (": run it again when others rest" if result.spoiled * 2 > result.blocks else "")
        )
    return lines
