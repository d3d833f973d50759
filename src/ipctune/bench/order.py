"""Which cell is measured next: several rounds interleaved, what matters first, within the time there is.

It looks at what has been measured and at the clock alone, so a run that was stopped goes on where it was.
"""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from math import inf

from ipctune.bench.spec import Spec

__all__ = ["LEAST_ROUNDS", "Order"]

LEAST_ROUNDS = 3
"""Blocks that every cell gets that is reached."""
_MOST = 1 << 30


@dataclass(frozen=True, slots=True)
class Order:
    """Cells to measure, one after the other; each has been measured, or is in `out`, when the next is asked for.

    `cells` come in the order of their weight; `left` is seconds left, `block_s` what a block takes all in all, as seen
    so far. `fill`: only as many cells as fit, those begun finished before others are begun, in parts of `stage_s`
    at most, and more rounds than asked for while there is time. Else every cell gets its rounds, but
    for those beyond the least once time is up.
    """

    cells: Sequence[Spec]
    rounds: int
    seed: int
    blocks: Mapping[Spec, Sized]
    out: Collection[Spec]
    left: Callable[[], float]
    block_s: Callable[[], float]
    stage_s: float = inf
    fill: bool = False

    def __iter__(self) -> Iterator[Spec]:
        yield from self._first()
        yield from self._more()

    @property
    def _least(self) -> int:
        return min(LEAST_ROUNDS, self.rounds)

    def _first(self) -> Iterator[Spec]:
        """The least blocks of every cell that is reached."""
        while part := self._part():
            for turn in range(self._least):
                yield from (cell for cell in _shuffled(part, self.seed, turn) if self._is_due(cell, turn))

    def _part(self) -> list[Spec]:
        """The next cells to be begun and finished; those that were begun and stopped come first."""
        live = [cell for cell in self.cells if cell not in self.out]
        begun = [cell for cell in live if 0 < len(self.blocks[cell]) < self._least]
        fresh = [cell for cell in live if not len(self.blocks[cell])]
        room_s = min(self.left() if self.fill else inf, max(self.stage_s, self._least * self.block_s()))
        fits = _fits(room_s / self.block_s(), self._least) - len(begun)
        nothing_yet = not self.out and len(fresh) == len(live)
        return begun + fresh[: max(fits, int(nothing_yet))]

    def _more(self) -> Iterator[Spec]:
        """More rounds of all that was reached."""
        turn = self._least
        while (turn < self.rounds or self.fill) and self.left() > 0:
            again = [cell for cell in self.cells if cell not in self.out and len(self.blocks[cell])]
            if not again:
                return
            for cell in _shuffled(again, self.seed, turn):
                if self.fill and self.left() < self.block_s():
                    return
                if self._is_due(cell, turn):
                    yield cell
            turn += 1

    def _is_due(self, cell: Spec, turn: int) -> bool:
        return cell not in self.out and len(self.blocks[cell]) <= turn


def _fits(room: float, least: int) -> int:
    """How many cells get their least blocks in the room of so many blocks."""
    return _MOST if room == inf else max(0, int(room / least))


def _shuffled(cells: Sequence[Spec], seed: int, turn: int) -> list[Spec]:
    mixed = list(cells)
    random.Random(seed * 1_000_003 + turn).shuffle(mixed)
    return mixed
