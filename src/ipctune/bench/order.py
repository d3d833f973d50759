"""Which cell is measured next: several rounds interleaved, what matters first, within the time there is.

It looks at what has been measured and at the clock alone, so a run that was stopped goes on where it was.
"""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from math import inf

from ipctune.bench.spec import Spec

__all__ = ["LEAST_ROUNDS", "order"]

LEAST_ROUNDS = 3
"""Blocks that every cell gets that is reached."""
_MOST = 1 << 30


def order(
    cells: Sequence[Spec],
    rounds: int,
    seed: int,
    blocks: Mapping[Spec, Sized],
    out: Collection[Spec],
    *,
    left: Callable[[], float],
    block_s: Callable[[], float],
    stage_s: float = inf,
    fill: bool = False,
) -> Iterator[Spec]:
    """Cells to measure, one after the other; each has been measured, or is in `out`, when the next is asked for.

    `cells` come in the order of their weight; `left` is seconds left, `block_s` what a block takes all in all, as seen
    so far. `fill`: only as many cells as fit, those begun finished before others are begun, in parts of `stage_s`
    at most, and more rounds than asked for while there is time. Else every cell gets its rounds, but
    for those beyond the least once time is up.
    """
    least = min(LEAST_ROUNDS, rounds)

    def part() -> list[Spec]:
        live = [cell for cell in cells if cell not in out]
        begun = [cell for cell in live if 0 < len(blocks[cell]) < least]
        fresh = [cell for cell in live if not len(blocks[cell])]
        room_s = min(left() if fill else inf, max(stage_s, least * block_s()))
        fits = _fits(room_s / block_s(), least) - len(begun)
        first = not out and len(fresh) == len(live)
        return begun + fresh[: max(fits, int(first))]

    while begun := part():
        for turn in range(least):
            yield from (cell for cell in _shuffled(begun, seed, turn) if cell not in out and len(blocks[cell]) <= turn)
    turn = least
    while (turn < rounds or fill) and left() > 0:
        again = [cell for cell in cells if cell not in out and len(blocks[cell])]
        if not again:
            return
        for cell in _shuffled(again, seed, turn):
            if fill and left() < block_s():
                return
            if cell not in out and len(blocks[cell]) <= turn:
                yield cell
        turn += 1


def _fits(room: float, least: int) -> int:
    """How many cells get their least blocks in the room of so many blocks."""
    return _MOST if room == inf else max(0, int(room / least))


def _shuffled(cells: Sequence[Spec], seed: int, turn: int) -> list[Spec]:
    mixed = list(cells)
    random.Random(seed * 1_000_003 + turn).shuffle(mixed)
    return mixed
