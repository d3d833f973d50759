"""Small plots of text: a histogram and a curve, in Unicode blocks or in ASCII."""

import math
from collections.abc import Sequence

__all__ = ["curve", "histogram", "scatter", "spark", "time_text"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-=+*#@"


def time_text(ns: float) -> str:
    """A time in the unit that suits it, with three digits: `850 ns`, `4.21 µs`, `45.3 µs`, `1.20 ms`."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= unit * 0.9995:
            return f"{_three(ns / unit)} {name}"
    return f"{ns:.0f} ns"


def _three(value: float) -> str:
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"


def bar(share: float, width: int, *, unicode: bool = True) -> str:
    """A bar over `share` (0 to 1) of `width` columns; a share above 0 shows at least a sliver."""
    cells = min(max(share, 0.0), 1.0) * width
    if not unicode:
        return "#" * max(round(cells), 1 if share > 0 else 0)
    eighths = max(round(cells * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def spark(values: Sequence[float], *, unicode: bool = True) -> str:
    """One character a value, on a logarithmic scale from the least to the greatest."""
    levels = _LEVELS if unicode else _ASCII_LEVELS
    logs = [math.log(max(value, 1.0)) for value in values]
    low, span = min(logs), (max(logs) - min(logs)) or 1.0
    return "".join(levels[round((one - low) / span * (len(levels) - 1))] for one in logs)


def histogram(
    buckets: Sequence[tuple[int, int]], *, width: int = 72, rows: int = 12, unicode: bool = True
) -> list[str]:
    """Counts by latency: at most `rows` lines whose bounds rise by an equal factor.

    `buckets` are pairs of the lowest ns and a count. The highest and lowest 0.05 % of the samples
    are gathered in the end lines, so that one outlier doesn't flatten the rest.
    """
    total = sum(count for _, count in buckets)
    if not total:
        return []
    low, high = _quantile(buckets, 0.0005), _quantile(buckets, 0.9995)
    edges = _edges(low, high, rows)
    counts = [0] * len(edges)
    for value, count in buckets:
        counts[_line(edges, value)] += count
    room = max(width - 30, 8)
    return [
        f"{time_text(edge):>10} {count / total:7.2%}  " + bar(count / max(counts), room, unicode=unicode)
        for edge, count in zip(edges, counts, strict=True)
    ]


def _edges(low: float, high: float, rows: int) -> list[float]:
    low = max(low, 1.0)
    factor = max((high / low) ** (1 / rows), 1.01)
    lines = max(min(rows, math.ceil(math.log(max(high / low, 1.0)) / math.log(factor))), 1)
    return [low * factor**n for n in range(lines)]


def _line(edges: Sequence[float], value: float) -> int:
    below = [at for at, edge in enumerate(edges) if edge <= value]
    return below[-1] if below else 0


def _quantile(buckets: Sequence[tuple[int, int]], q: float) -> float:
    wanted = q * sum(count for _, count in buckets)
    seen = 0
    for value, count in buckets:
        seen += count
        if seen >= wanted and seen:
            return float(value)
    return float(buckets[-1][0])


def curve(points: Sequence[tuple[str, float]], *, width: int = 72, unicode: bool = True) -> list[str]:
    """One line a point: its label, its time, and a bar as long as the time."""
    if not points:
        return []
    highest = max(value for _, value in points) or 1.0
    labels = max(len(label) for label, _ in points)
    room = max(width - labels - 12, 8)
    return [
        f"{label:>{labels}} {time_text(value):>8}  " + bar(value / highest, room, unicode=unicode)
        for label, value in points
    ]


def scatter(points: Sequence[tuple[str, float, float]], *, width: int = 30, rows: int = 5) -> list[str]:
    """Labels of one character at (x, y), y upwards, in `rows` lines of `width` columns, with axes.

    Both scales are linear from the least to the greatest; where two meet, `+` stands for both.
    """
    if not points:
        return []
    columns = width - 1
    cells = [[" "] * columns for _ in range(rows)]
    for label, x, y in points:
        column = _place(x, [one[1] for one in points], columns)
        row = rows - 1 - _place(y, [one[2] for one in points], rows)
        cells[row][column] = label if cells[row][column] in (" ", label) else "+"
    return ["│" + "".join(row).rstrip() for row in cells] + ["└" + "─" * columns]


def _place(value: float, values: Sequence[float], cells: int) -> int:
    low, span = min(values), max(values) - min(values)
    return round((value - low) / span * (cells - 1)) if span else 0
