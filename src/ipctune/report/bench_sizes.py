"""The matrix over message sizes: a table for each placement and kind, mechanisms down and sizes across."""

import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from ipctune.bench.cells import variant
from ipctune.bench.matrix import BenchResult, RefusedCell
from ipctune.bench.row import Row
from ipctune.bench.sizes import named, short
from ipctune.bench.spec import Spec

__all__ = ["PLACES", "left_out", "many", "size_tables"]

WIDTH = 80
PLACES = {"same": "one vCPU", "across": "two vCPUs", "free": "not pinned"}
_CELL = 13
_LABEL = 28


def many(rows: Sequence[Row]) -> bool:
    """Whether rows differ in more than mechanism, pattern and placement."""
    return len({(row.spec.size, variant(row.spec)) for row in rows}) > 1


def size_tables(rows: Sequence[Row]) -> list[str]:
    """Median and CPU of every cell; `*` marks the best of each size, `!` where blocks were spoiled."""
    lines: list[str] = []
    for pattern, kind in dict.fromkeys((row.spec.pattern, row.kind) for row in rows):
        for place, name in PLACES.items():
            own = [r for r in rows if (r.spec.pattern, r.kind, r.placement) == (pattern, kind, place)]
            lines += _table(own, f"{pattern}, {name}: {_unit(kind)}") if own else []
    return [*lines, "", "* best of its size   ! some blocks spoiled   - not measured"]


def _unit(kind: str | None) -> str:
    if kind is None:
        return "k msg/s / CPU µs a message"
    return f"{'RT' if kind == 'round-trip' else '1-way'} p50 µs / CPU µs a message"


def _table(rows: Sequence[Row], title: str) -> list[str]:
    labels = {_label(row.spec): row for row in rows}
    wide = min(max(map(len, labels)) + 1, _LABEL)
    sizes = sorted({row.spec.size for row in rows})
    at_once = (WIDTH - wide) // _CELL
    lines = ["", title]
    for first in range(0, len(sizes), at_once):
        shown = sizes[first : first + at_once]
        lines.append(" " * wide + "".join(f"{short(size) + ' ':>{_CELL}}" for size in shown).rstrip())
        lines += [_line(label, wide, shown, rows) for label in labels]
    return lines


def _label(spec: Spec) -> str:
    return " ".join(filter(None, (spec.mechanism, variant(spec))))


def _line(label: str, wide: int, sizes: Sequence[int], rows: Sequence[Row]) -> str:
    head = label if len(label) < wide else label[: wide - 2] + "…"
    return (head.ljust(wide) + "".join(_cell(label, size, rows) for size in sizes)).rstrip()


def _cell(label: str, size: int, rows: Sequence[Row]) -> str:
    column = [row for row in rows if row.spec.size == size]
    row = next((row for row in column if _label(row.spec) == label), None)
    if row is None:
        return f"{'- ':>{_CELL}}"
    best = len(column) > 1 and row is min(column, key=_rank)
    figure = row.messages_per_second.median / 1000 if row.p50_ns is None else row.p50_ns.median / 1000
    mark = "*" if best else "!" if row.spoiled else " "
    return f"{_three(figure)}/{_three(row.cpu_ns_per_message / 1000)}{mark}".rjust(_CELL)


def _rank(row: Row) -> float:
    return row.p50_ns.median if row.p50_ns else -row.messages_per_second.median


def _three(value: float) -> str:
    """Three figures: 0.123, 4.07, 44.9, 1234."""
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if value >= least:
            return f"{value:.{digits}f}"
    return f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.2f}"


def left_out(result: BenchResult) -> list[str]:
    """Cells without a figure: refused ones by their limit, those that the time did not reach; and how many have few."""
    lines = [line for text in _refused(result.refused) for line in _wrapped(text)]
    if result.unreached:
        known = [*(row.spec for row in result.rows), *(cell.spec for cell in result.refused + result.failed)]
        known += result.unreached
        lines += _wrapped(f"not reached: {len(result.unreached)} of {len(known)} cells")
        lines += [line for text in _by_size(result.unreached, known) for line in _wrapped(text, "  ")]
    few = [row.spec for row in result.rows if row.blocks < 3]
    if few:
        lines += _wrapped(f"{len(few)} cells have fewer than 3 blocks")
    return lines


def _refused(cells: Sequence[RefusedCell]) -> Iterator[str]:
    """One line a mechanism and reason, with the sizes that it is about."""
    groups: dict[tuple[str, str], list[RefusedCell]] = {}
    for cell in cells:
        reason = " ".join(filter(None, (cell.errno_name, f"({cell.limit})" if cell.limit else "")))
        groups.setdefault((_label(cell.spec), reason or cell.what), []).append(cell)
    for (label, reason), some in groups.items():
        if len(some) == 1:
            yield f"refused: {some[0].what}"
        else:
            yield f"refused: {label} {_sizes(cell.spec.size for cell in some)}, {len(some)} cells: {reason}"


def _sizes(sizes: Iterator[int]) -> str:
    return ", ".join(map(named, sorted(set(sizes))))


def _by_size(cells: Sequence[Spec], known: Collection[Spec]) -> Iterator[str]:
    """One line a pattern and size; what is true of all of them is not repeated."""
    groups: dict[tuple[str, int], dict[str, list[str]]] = {}
    for cell in cells:
        names = groups.setdefault((cell.pattern, cell.size), {})
        names.setdefault(_label(cell), []).append(cell.placement)
    places = len({cell.placement for cell in known})
    there = Counter((cell.pattern, cell.size) for cell in known)
    for (pattern, size), names in groups.items():
        told = [name if len(where) == places else f"{name} ({'/'.join(where)})" for name, where in names.items()]
        count = sum(map(len, names.values()))
        everything = len(names) > 3 and count == there[pattern, size]
        yield f"{pattern} {named(size)}: " + (f"all {count} cells" if everything else ", ".join(told))


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)
