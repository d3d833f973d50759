"""What `ipctune bench` found as CSV, one line a cell, and as a page in Markdown.

Columns of the CSV are the fields of a row: a new field is a new column. Cells without a figure have a line as well.
"""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ipctune.bench.cells import variant
from ipctune.bench.matrix import BenchResult
from ipctune.bench.row import Row
from ipctune.bench.sizes import short
from ipctune.bench.spec import Spec
from ipctune.host.scrub import clean

__all__ = ["cells_left", "render_csv", "render_markdown", "table"]

_LISTS = ("histogram", "figures")


def render_csv(result: BenchResult) -> str:
    """As in RFC 4180, names first; what is unknown is empty. `status` is measured, refused, failed or not reached."""
    lines: list[dict[str, object]] = [{"status": "measured", **_flat(row), "why": ""} for row in result.rows]
    lines += [{"status": status, **_flat({"spec": spec}), "why": why} for status, spec, why in cells_left(result)]
    names = list(dict.fromkeys(name for line in lines for name in line if name != "why"))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "why"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().rstrip("\n")


def cells_left(result: BenchResult) -> Iterator[tuple[str, Spec, str]]:
    """Cells without a figure: status, cell, why."""
    yield from (("refused", cell.spec, cell.what) for cell in result.refused)
    yield from (("failed", cell.spec, cell.what) for cell in result.failed)
    yield from (("not reached", spec, "") for spec in result.unreached)


def _flat(value: Any, before: str = "") -> dict[str, object]:
    """Fields of values within values as `name.field`; the cell's own without a name before them."""
    fields: Mapping[str, Any] = value if isinstance(value, dict) else _fields(value)
    found: dict[str, object] = {}
    for name, item in fields.items():
        if name in _LISTS:
            continue
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            found |= _flat(item, "" if name == "spec" else f"{name}.")
        else:
            own = before + name
            found[f"{own}_in_effect" if own in found else own] = _plain(item)
    return found


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join("=".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in value)
    return "" if value is None else value


def table(names: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (names, *lines)]
    return [rows[0], "| --- " * len(names) + "|", *rows[1:]]


def render_markdown(result: BenchResult) -> str:
    """A page that names no host, no address and no user."""
    ended = " It was ended by Ctrl-C." if result.interrupted else ""
    lines = [
        "# How processes talk here",
        "",
        f"{result.blocks} blocks in {result.seconds:.0f} s, from {result.started}, {result.spoiled} of them spoiled by "
        f"others. Times in µs; RT is a round trip.{ended}",
        "",
    ]
    facts = result.machine or {"kernel": result.kernel, "vCPUs": str(result.vcpus)}
    lines += [*table(("machine", ""), list(facts.items())), ""]
    lines += ["## Cells", "", *table(_NAMES, [_cells(row) for row in result.rows]), ""] if result.rows else []
    left = [(status, _name(spec), why) for status, spec, why in cells_left(result)]
    lines += ["## Without a figure", "", *table(("what", "cell", "why"), left), ""] if left else []
    return clean("\n".join(lines).rstrip())


_NAMES = (
    *("mechanism", "pattern", "size", "where", "options", "figure", "median", "from-to", "p99"),
    *("CPU a message", "calls", "switches", "blocks"),
)


def _cells(row: Row) -> tuple[str, ...]:
    spec = row.spec
    if row.p50_ns is None:
        figure, span = "k msg/s", row.messages_per_second
    else:
        figure, span = ("RT p50" if row.kind == "round-trip" else "1-way p50"), row.p50_ns
    return (
        *(spec.mechanism, spec.pattern, short(spec.size), row.placement, variant(spec), figure),
        f"{span.median / 1000:.4g}",
        f"{span.low / 1000:.4g}-{span.high / 1000:.4g}",
        "-" if row.kind is None else "unknown" if row.p99_ns is None else f"{row.p99_ns / 1000:.4g}",
        f"{row.cpu_ns_per_message / 1000:.4g}",
        f"{row.syscalls_per_message:.2f}",
        f"{row.switches_per_message:.2f}",
        f"{row.blocks}{f' ({row.spoiled} spoiled)' if row.spoiled else ''}",
    )


def _name(spec: Spec) -> str:
    where = (spec.mechanism, spec.pattern, short(spec.size), spec.placement, variant(spec))
    return " ".join(filter(None, where))
