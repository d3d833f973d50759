"""The map over size and pattern: in each cell the name to use, marked where it is the simplest of several alike."""

from collections.abc import Sequence

from ipctune.bench.recommendation import Answer, Recommendation, Table
from ipctune.bench.sizes import named
from ipctune.report.figures import folded
from ipctune.report.recommend_words import figure, figure_name, name_of
from ipctune.report.style import Style

__all__ = ["render_map"]

_WIDTH, _SIDE = 79, 10
_ROOMY = 23
_UNITS = {"k msg/s": "k/s", "p50 µs": "µs"}


def render_map(result: Recommendation, style: Style) -> list[str]:
    """Sizes down and patterns across, or the other way round where there are more patterns than sizes."""
    sizes = list(dict.fromkeys(answer.size for answer in result.answers))
    patterns = list(dict.fromkeys(answer.pattern for answer in result.answers))
    cells = {(answer.size, answer.pattern): answer for answer in result.answers}
    if not cells:
        return ["", "nothing was measured"]
    if len(patterns) <= len(sizes):
        rows = [[cells.get((size, pattern)) for pattern in patterns] for size in sizes]
        lines = _grid([named(size) for size in sizes], patterns, rows, style)
    else:
        rows = [[cells.get((size, pattern)) for size in sizes] for pattern in patterns]
        lines = _grid(patterns, [named(size) for size in sizes], rows, style)
    return ["", *lines, "", *_notes(result.answers, style)]


def _grid(
    sides: Sequence[str], tops: Sequence[str], rows: Sequence[Sequence[Answer | None]], style: Style
) -> list[str]:
    width = min(40, (_WIDTH - _SIDE) // len(tops))
    lines = [style.dim((" " * _SIDE + "".join(f"{top:<{width}}" for top in tops)).rstrip())]
    for side, row in zip(sides, rows, strict=True):
        lines.append((f"{side:<{_SIDE}}" + "".join(_cell(one, width) for one in row)).rstrip())
    return lines


def _cell(answer: Answer | None, width: int) -> str:
    """The name, with its figure where there is room."""
    if answer is None or answer.table is None:
        return f"{'-' if answer is not None and not answer.looked else '?':<{width}}"
    table = answer.table
    name = name_of(table.named) + (" =" if len(table.alike) > 1 else "")
    arm = table.arm(table.named)
    shown = f" {figure(arm)} {_UNITS[figure_name(arm)]}" if width >= _ROOMY else ""
    room = width - 1 - len(shown)
    return f"{(name if len(name) <= room else name[: room - 1] + '…') + shown:<{width}}"


def _others(table: Table) -> str:
    alike = [name_of(label) for label in table.alike if label != table.named]
    left = len(table.not_apart) - len(table.alike)
    open_yet = f"{left} more that may be slower {'is' if left == 1 else 'are'} not told apart yet" if left else ""
    said = f"{name_of(table.named)} or {', '.join(alike)}" if alike else name_of(table.named)
    return "; ".join(part for part in (said, open_yet) if part)


def _notes(answers: Sequence[Answer], style: Style) -> list[str]:
    """Who else it could be."""
    lines = ["= the simplest that can't be told apart; ? not known yet; - none takes it"]
    for answer in answers:
        if answer.table is not None and len(answer.table.not_apart) > 1:
            lines += folded(f"{named(answer.size)} {answer.pattern}: {_others(answer.table)}", "  ", _WIDTH)
    return [style.dim(line) for line in lines]
