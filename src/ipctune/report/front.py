"""What was tried as gain against price: a table with a small plot beside it, a load each, in 80 columns."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from string import ascii_uppercase

from ipctune.report.figures import folded
from ipctune.report.plot import scatter
from ipctune.report.style import Style
from ipctune.report.words import percent, value
from ipctune.tune.front import AS_IT_IS, Front, Spot

__all__ = ["on_fronts", "price_text", "render_fronts"]

_NAME, _PLOT, _ROWS = 24, 28, 4
_LEGEND = (
    "Capitals are on the front: nothing else that was tried gives as much for less. Small letters are dominated, or "
    "the same as changing nothing (·); + is where several meet. Only what was shown counts: a gain or price that may "
    "be nil stands as 0."
)


def render_fronts(fronts: Sequence[Front], style: Style) -> list[str]:
    """Lines for the report; none where there is nothing to compare."""
    if not fronts:
        return []
    lines = ["", f"   {style.bold('GAIN AGAINST PRICE')}"]
    for front in fronts:
        lines += [style.dim(f"   {front.load:<{_NAME + 4}}{'gain':>7}{'price':>12}"), *_front(front)]
    return [*lines, *map(style.dim, folded(_LEGEND, "   ")), ""]


def on_fronts(fronts: Sequence[Front], knob: str) -> Iterator[str]:
    """For one knob: at which loads it is on the front, and what dominates it at the others."""
    for front in fronts:
        for spot in front.spots:
            if spot.knob == knob:
                free = "on the front" if spot.stands_out else "the same as changing nothing"
                what = free if spot.beaten_by is None else f"dominated by {spot.beaten_by}"
                yield f"{value(spot.value)} {front.load}: gain {_gain(spot)}, price {price_text(front, spot)}, {what}"


def price_text(front: Front, spot: Spot) -> str:
    """The price in the front's unit; of a message in µs."""
    if front.unit == "ns a message":
        return f"{spot.price / 1000:+.2f} µs" if spot.price else "0 µs"
    return f"{spot.price:+.2f} {front.unit.removesuffix(' a run')}" if spot.price else f"0 {front.unit.split()[0]}"


def _gain(spot: Spot) -> str:
    return percent(spot.gain) if spot.gain else "0 %"


def _front(front: Front) -> Iterator[str]:
    tried = [spot for spot in front.spots if spot.knob != AS_IT_IS]
    letters = [_letter(i, spot) for i, spot in enumerate(tried)]
    rows = [f"   {letter} {_row(front, spot)}" for letter, spot in zip(letters, tried, strict=True)]
    rows += [f"     memory: {spot.memory:,} bytes each, for {letter}" for letter, spot in _with_memory(letters, tried)]
    spots = [("·", 0.0, 0.0), *((x, one.price, one.gain) for x, one in zip(letters, tried, strict=True))]
    plot = scatter(spots, width=_PLOT, rows=_ROWS)
    for row, line in zip_longest(rows, plot, fillvalue=""):
        yield f"{row:<49} {line}".rstrip()


def _with_memory(letters: Sequence[str], spots: Sequence[Spot]) -> Iterator[tuple[str, Spot]]:
    return ((letter, spot) for letter, spot in zip(letters, spots, strict=True) if spot.memory)


def _row(front: Front, spot: Spot) -> str:
    said = value(spot.value)
    said = said if len(said) <= _NAME // 2 else said[: _NAME // 2 - 1] + "…"
    room = _NAME - 1 - len(said)
    title = spot.title if len(spot.title) <= room else spot.title[: room - 1] + "…"
    return f"{title + ' ' + said:<{_NAME}}{_gain(spot):>8}{price_text(front, spot):>12}"


def _letter(at: int, spot: Spot) -> str:
    letter = ascii_uppercase[at % len(ascii_uppercase)]
    return letter if spot.stands_out else letter.lower()
