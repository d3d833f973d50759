"""Two runs held against each other, as text, Markdown and CSV."""

import csv
import io
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ipctune.bench.cells import variant
from ipctune.bench.compare import Change, Comparison, Overall, RunSummary
from ipctune.bench.sizes import short
from ipctune.bench.spec import Spec
from ipctune.host.scrub import clean
from ipctune.judge.verdict import Word
from ipctune.report.bench_table import table
from ipctune.report.style import PLAIN, Style, in_ascii

__all__ = ["render_compare", "render_compare_csv", "render_compare_markdown"]

WIDTH = 80
_SCREEN = 40
_ORDER = (Word.WORSE, Word.BETTER, Word.UNDECIDED, Word.NO_DIFFERENCE)
CAVEAT = (
    "Two runs at different times are not interleaved: what else the machine did then is part of the difference. The "
    "intervals are wider by how far the level moved within each run; what moved between them can't be seen."
)


def render_compare(found: Comparison, style: Style = PLAIN, *, everything: bool = False, unicode: bool = True) -> str:
    """What changed first; cells in which nothing did only where there are few, or `everything` is asked for."""
    heads = [line for head in _heads(found) for line in textwrap.wrap(head, WIDTH, subsequent_indent="   ")]
    lines = [*heads, *_differing(found), "", *_overall(found, style), *_table(found, style, everything)]
    lines += [*_missing(found), "", *textwrap.wrap(CAVEAT, WIDTH)]
    text = "\n".join(lines)
    return text if unicode else in_ascii(text)


def _heads(found: Comparison) -> Iterator[str]:
    for letter, run in (("A", found.a), ("B", found.b)):
        yield f"{letter}  {run.name}: {_run(run)}"


def _run(run: RunSummary) -> str:
    ended = ", ended by Ctrl-C" if run.interrupted else ""
    moved = "unknown" if run.wander is None else f"±{run.wander:.1%}"
    spoiled = f" ({run.spoiled} spoiled)" if run.spoiled else ""
    return f"{run.cells} cells, {run.blocks} blocks{spoiled}{ended}, its level moved {moved}"


def _differing(found: Comparison) -> list[str]:
    if not found.differences:
        return ["the machines are the same in all that is known of them"]
    lines = ["what differs between the machines"]
    for one in found.differences:
        text = f"{one.name}: {one.a or 'unknown'} -> {one.b or 'unknown'}"
        lines += textwrap.wrap(text, WIDTH, initial_indent="   ", subsequent_indent="      ", break_on_hyphens=False)
    return lines


def _overall(found: Comparison, style: Style) -> list[str]:
    if found.overall is None:
        return ["no cell is in both runs"]
    one = found.overall
    counts = Counter(cell.word for cell in found.cells)
    told = ", ".join(f"{counts[word]} {word}" for word in _ORDER if counts[word])
    together = f"all {one.cells} cells together: B takes {_ratio(one)} of A: {_painted(one.word, style)}"
    return [together, f"cells: {told}"]


def _ratio(one: Change | Overall) -> str:
    return f"×{one.ratio:.2f}{_span(one)}"


def _span(one: Change | Overall) -> str:
    if one.low is None and one.high is None:
        return ""
    low, high = ("?" if end is None else f"{end:.2f}" for end in (one.low, one.high))
    return f" ({low} … {high})"


def _painted(word: Word, style: Style) -> str:
    paint = {Word.WORSE: style.red, Word.BETTER: style.green}.get(word)
    return paint(word) if paint else str(word)


def _table(found: Comparison, style: Style, everything: bool) -> list[str]:
    cells = sorted(found.cells, key=lambda cell: (_ORDER.index(cell.word), -abs(cell.ratio - 1)))
    told = [cell for cell in cells if cell.word in (Word.WORSE, Word.BETTER)]
    shown = cells if everything or len(cells) <= _SCREEN else told
    lines = ["", f"{'A':>26}{'B':>10}   B / A"] if shown else []
    for cell in shown:
        figures = f"{_figure(cell.a):>10}{_figure(cell.b):>10}   {_ratio(cell)}"
        lines += [_name(cell), f"  {_unit(cell):<14}{figures}  {_painted(cell.word, style)}"]
    lines += _reasons(cells)
    if len(shown) < len(cells):
        lines.append(f"{len(cells) - len(shown)} cells without a change are not shown: --all")
    return lines


def _reasons(cells: Sequence[Change]) -> list[str]:
    counts = Counter(cell.why for cell in cells if cell.why)
    told = [f"undecided in {count} cells: {why}" for why, count in counts.most_common(3)]
    return [line for text in told for line in textwrap.wrap(text, WIDTH, subsequent_indent="   ")]


def _name(cell: Change) -> str:
    return _cell_name(cell.spec, cell.placement)


def _cell_name(spec: Spec, placement: str) -> str:
    load = f"{spec.rate:,.6g}/s" if spec.rate else ""
    return " ".join(filter(None, (spec.mechanism, spec.pattern, short(spec.size), placement, load, variant(spec))))


def _unit(cell: Change) -> str:
    return {None: "k msg/s", "round-trip": "RT p50, µs"}.get(cell.kind, "1-way p50, µs")


def _figure(value: float) -> str:
    return f"{value / 1000:,.4g}" if value < 1e7 else f"{value / 1000:,.0f}"


def _missing(found: Comparison) -> Iterator[str]:
    for letter, specs in (("A", found.only_a), ("B", found.only_b)):
        if specs:
            yield from textwrap.wrap(
                f"only in {letter}: {len(specs)} cells: {_some(specs)}", WIDTH, subsequent_indent="   "
            )


def _some(specs: Iterable[Spec]) -> str:
    groups: dict[tuple[str, str], set[int]] = {}
    for spec in specs:
        groups.setdefault((spec.mechanism, spec.pattern), set()).add(spec.size)
    return "; ".join(f"{m} {p} {', '.join(map(short, sorted(s)))}" for (m, p), s in groups.items())


def render_compare_markdown(found: Comparison) -> str:
    """A page that names no host, no address and no user."""
    lines = ["# Two runs of ipctune bench", "", *(f"- {line}" for line in _heads(found)), ""]
    differing = [(one.name, one.a or "unknown", one.b or "unknown") for one in found.differences]
    lines += [*table(("machine", "A", "B"), differing), ""] if differing else []
    lines += [*_overall(found, PLAIN), ""]
    rows = [
        (
            _name(cell),
            _unit(cell),
            _figure(cell.a),
            _figure(cell.b),
            _ratio(cell),
            f"{cell.word}{_why(cell)}",
        )
        for cell in found.cells
    ]
    lines += [*table(("cell", "figure", "A", "B", "B / A", ""), rows), ""] if rows else []
    return clean("\n".join([*lines, *_missing(found), CAVEAT]))


def _why(cell: Change) -> str:
    return f" ({cell.why})" if cell.why else ""


_COLUMNS = (
    *("mechanism", "pattern", "size", "placement", "rate", "options", "kind", "a", "b", "blocks_a", "blocks_b"),
    *("ratio", "low", "high", "word", "why", "cpu_ns_per_message_a", "cpu_ns_per_message_b"),
)


def render_compare_csv(found: Comparison) -> str:
    """A line a cell that is in both; ns, or messages a second where `kind` is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for cell in found.cells:
        spec = cell.spec
        writer.writerow(
            [
                *(spec.mechanism, spec.pattern, spec.size, cell.placement, spec.rate, variant(spec), cell.kind or ""),
                *(cell.a, cell.b, *cell.blocks, cell.ratio, "" if cell.low is None else cell.low),
                *("" if cell.high is None else cell.high, cell.word, cell.why, *cell.cpu_ns_per_message),
            ]
        )
    return text.getvalue().rstrip("\n")
