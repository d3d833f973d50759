"""Who talks to whom, as a table, as a flowchart for Mermaid, for Graphviz, and as a picture."""

import math
from collections.abc import Iterator
from html import escape

from ipctune.report.style import PLAIN, Style
from ipctune.report.trace import amount, cost_lines, more, rate, unseen
from ipctune.trace.model import Edge, Graph

__all__ = ["render_graph", "to_dot", "to_mermaid", "to_svg"]

_HEAD = f"{'from':<22} {'to':<22} {'through':<9} {'messages/s':>10} {'bytes/s':>7} {'wakes/s':>8} {'across':>6}"
_SIZE, _RADIUS, _NODE = 720, 250, 54


def render_graph(found: Graph, style: Style = PLAIN, rows: int | None = None) -> str:
    """At most `rows` edges, all without a number; the most messages first."""
    names = _names(found)
    lines = [style.bold(f"{len(found.nodes)} processes that talk, in {found.seconds:.1f} s")]
    lines += [style.dim(_HEAD)] if found.edges else []
    lines += [_row(edge, names, found.seconds) for edge in found.edges[:rows]]
    lines += more(found.edges, rows, style) + unseen(found.lost, "calls", found.missing, style)
    calls = sum(edge.messages for edge in found.edges)
    return "\n".join([*lines, *map(style.dim, cost_lines(found.own, found.seconds, calls))])


def _row(edge: Edge, names: dict[int, str], seconds: float) -> str:
    moved = amount(edge.bytes / seconds) if edge.bytes else "-"
    return (
        f"{names[edge.source]:<22} {names[edge.target]:<22} {edge.kind:<9} {rate(edge.messages / seconds):>10} "
        f"{moved:>7} {rate(edge.wakes / seconds):>8} {_across(edge):>6}"
    )


def _across(edge: Edge) -> str:
    return f"{100 * edge.across / edge.wakes:.0f} %" if edge.wakes else "-"


def _names(found: Graph) -> dict[int, str]:
    return {node.pid: f"{node.comm[:15]} {node.pid}" for node in found.nodes}


def _label(edge: Edge, seconds: float) -> str:
    return f"{edge.kind} {rate(edge.messages / seconds)}/s"


def to_mermaid(found: Graph) -> str:
    """A flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    names = _names(found)
    lines = ["flowchart LR", *(f'    p{pid}["{_plain(name)}"]' for pid, name in names.items())]
    lines += [f'    p{edge.source} -->|"{_label(edge, found.seconds)}"| p{edge.target}' for edge in found.edges]
    return "\n".join(lines)


def to_dot(found: Graph) -> str:
    """A digraph (https://graphviz.org/doc/info/lang.html)."""
    names = _names(found)
    lines = [
        "digraph ipc {",
        "    rankdir=LR;",
        *(f'    p{pid} [label="{_plain(name)}"];' for pid, name in names.items()),
    ]
    lines += [f'    p{edge.source} -> p{edge.target} [label="{_label(edge, found.seconds)}"];' for edge in found.edges]
    return "\n".join([*lines, "}"])


def _plain(name: str) -> str:
    """A program may call itself anything: what would end a string or begin markup goes."""
    return "".join("_" if char in '"\\<>[]{}|#;`' or not char.isprintable() else char for char in name)


def to_svg(found: Graph) -> str:
    """Processes on a circle, an arrow for each edge, wider for more messages."""
    places = dict(_places(found))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" font-family="sans-serif" '
        'font-size="11">',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto" '
        'markerUnits="userSpaceOnUse"><path d="M0 0 8 4 0 8z" fill="#456"/></marker></defs>',
    ]
    lines += [_arrow(edge, places, found.seconds) for edge in found.edges]
    for pid, name in _names(found).items():
        x, y = places[pid]
        lines.append(
            f'<g><circle cx="{x:.0f}" cy="{y:.0f}" r="{_NODE}" fill="#eef3f8" stroke="#456"/>'
            f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{escape(_plain(name))}</text></g>'
        )
    return "\n".join([*lines, "</svg>"])


def _places(found: Graph) -> Iterator[tuple[int, tuple[float, float]]]:
    middle, count = _SIZE / 2, max(1, len(found.nodes))
    for at, node in enumerate(found.nodes):
        angle = 2 * math.pi * at / count - math.pi / 2
        yield node.pid, (middle + _RADIUS * math.cos(angle), middle + _RADIUS * math.sin(angle))


def _arrow(edge: Edge, places: dict[int, tuple[float, float]], seconds: float) -> str:
    """Bent, so that the one back lies beside it; from rim to rim."""
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    bend = (x1 + x2) / 2 + 40 * dy, (y1 + y2) / 2 - 40 * dx
    start, end = (x1 + _NODE * dx, y1 + _NODE * dy), (x2 - _NODE * dx, y2 - _NODE * dy)
    width = 1 + math.log10(1 + edge.messages / seconds) / 2
    return (
        f'<path d="M{start[0]:.0f} {start[1]:.0f} Q{bend[0]:.0f} {bend[1]:.0f} {end[0]:.0f} {end[1]:.0f}" fill="none" '
        f'stroke="#456" stroke-width="{width:.1f}" marker-end="url(#end)"/><text x="{bend[0]:.0f}" y="{bend[1]:.0f}" '
        f'text-anchor="middle" fill="#234">{escape(_label(edge, seconds))}</text>'
    )
