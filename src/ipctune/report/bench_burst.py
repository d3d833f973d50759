"""What became of bursts: how many fit, who was refused by which errno, what was lost. Their speed says nothing: the
consumer sleeps until a burst is over.
"""

from collections.abc import Sequence

from ipctune.bench.counts import Burst
from ipctune.bench.row import Row
from ipctune.bench.sizes import short

__all__ = ["burst_lines"]


def burst_lines(rows: Sequence[Row], places: dict[str, str]) -> list[str]:
    """A table for each size, length and placement; those that hold most come first."""
    lines: list[str] = []
    for size, burst in sorted({(row.spec.size, row.spec.burst) for row in rows if row.burst is not None}):
        for place, name in places.items():
            cells = [r for r in rows if (r.placement, r.spec.size, r.spec.burst) == (place, size, burst)]
            own = [(row, row.burst) for row in cells if row.burst is not None]
            if own:
                lines += ["", _head(own[0][0], name), *(_line(row, told) for row, told in sorted(own, key=_rank))]
    if lines:
        lines += ["fits: the most of one burst that went without waiting; lost: taken, and never came"]
    return lines


def _rank(one: tuple[Row, Burst]) -> tuple[float, int]:
    burst = one[1]
    return (burst.lost + burst.refused) / burst.offered, -burst.fits


def _head(row: Row, place: str) -> str:
    title = f"{place}, {row.spec.burst:,} of {short(row.spec.size)}"
    return f"{title:<26}{'fits':>8}{'refused':>9}{'lost':>8}  {'when full':<12}{'CPU':>7}"


def _line(row: Row, burst: Burst) -> str:
    name = row.spec.mechanism + ("!" if row.spoiled else "")
    says = burst.errno or ("full" if burst.refused else "never full")
    lost = _share(burst.lost, burst.accepted)
    cpu = f"{row.cpu_ns_per_message / 1000:.2f}"
    return f"{name:<26}{burst.fits:>8,}{_share(burst.refused, burst.offered):>9}{lost:>8}  {says:<12}{cpu:>7}"


def _share(part: int, whole: int) -> str:
    return "-" if not part else f"{part / whole:.0%}" if part * 100 >= whole else "< 1%"
