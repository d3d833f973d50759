"""One answer: a short look at all, then the best handful in interleaved rounds, then the gain measured again.

1. Every mechanism in its plain form, three short blocks each; then the options of the best ones, as many as fit.
2. The finalists: the best few, the best one's plain form, the simplest and the cheapest of all. In each round every
   one that is still in has one block; whoever is told apart from a faster one leaves.
3. The fastest, the one that is named and the next best, a number of rounds that is fixed before: what is reported of
   them is of these blocks alone. With a lever, each round has an arm with it off and one with it on, in random order.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ipctune.bench.candidates import Candidate, variants
from ipctune.bench.core import MechanismInfo
from ipctune.bench.recommendation import Answer, Looked, Table
from ipctune.bench.rounds import Measuring, Rounds
from ipctune.bench.standing import ALPHA, Elimination, rounds_needed
from ipctune.bench.tables import Judged, lever_gain
from ipctune.errors import NotPossible
from ipctune.judge.verdict import Estimate

__all__ = ["MESSAGES", "CutShort", "LeverSwitch", "Run", "Shares", "Told"]

LOOKS = 3
"""Blocks of each in the short look."""
FINALISTS = 6
AGAIN = 4
MOST_ROUNDS = 60
_FAR = 2.0
"""Whoever took so many times as long as the first in the short look is no finalist for its speed."""
_SHORTEST_S, _LONGEST_S = 0.05, 0.15
_FINAL_S = 0.05
"""Seconds a block of the finals: how sure they are hangs on the number of rounds more than on their length."""
_BLOCK_S = 0.1
MESSAGES = 30
"""In an open loop a block holds about as many arrivals at least: fewer have no median."""


class CutShort(Exception):
    """Something else needs the machine: what was measured so far is kept; `why` says what."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Told(Protocol):
    """What a screen gets to know."""

    def stage(self, name: str, seconds: float) -> None:
        """A stage begins; it is expected to take that long."""

    def tick(self, text: str) -> None:
        """Something was measured."""


class LeverSwitch(Protocol):
    """The idle lever; each call switches it, and lets the machine rest. Raises NotPossible, CutShort."""

    seconds: float
    """What a call takes."""

    def turn(self, *, on: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Shares:
    """When a stage is over, as a share of the run; what is left belongs to the last. `lever`: of the time, on top."""

    look: float = 0.25
    options: float = 0.35
    finals: float = 0.75
    lever: float = 0.6


@dataclass
class Run:
    """The answer as it grows: Ctrl-C at any moment leaves what there is, and `answer` tells it."""

    candidates: Sequence[Candidate]
    infos: Sequence[MechanismInfo]
    seconds: float
    measuring: Measuring
    told: Told
    lever: LeverSwitch | None = None
    measures_again: bool = True
    shares: Shares = field(default_factory=Shares)
    settled: bool = False
    lever_failed: str = ""
    _looked: Rounds = field(default_factory=Rounds)
    _finals: Rounds = field(default_factory=Rounds)
    _again: Rounds = field(default_factory=Rounds)
    _lever_on: Rounds = field(default_factory=Rounds)
    _known: dict[str, Candidate] = field(default_factory=dict)
    _finalists: list[Candidate] = field(default_factory=list)
    _trial: Elimination | None = None

    def go(self) -> None:
        """Measure. Raises KeyboardInterrupt, CutShort, and WrongUse where the core takes it from no mechanism."""
        self._begun = time.monotonic()
        self.measuring.tick = self.told.tick
        self._look("look", self.candidates, self.shares.look)
        if not self._figures() and self.measuring.wrong is not None:
            raise self.measuring.wrong
        self._look("options", self._options(), self.shares.options)
        self._finalists = self._choose()
        if self._finalists:
            self._final()
            self._once_more()

    def answer(self) -> Answer:
        """What is known by now."""
        like = self.candidates[0].spec
        looked = [self._look_of(label) for label in sorted(self._figures(), key=self._middle)]
        rounds = (self._looked, self._finals, self._again, self._lever_on)
        return Answer(
            pattern=like.pattern,
            size=like.size,
            table=self._table(self._again),
            looked=tuple(looked),
            absent=tuple(one for label, one in self.measuring.absent.items() if label in self._known),
            blocks=sum(len(own) for one in rounds for own in one.blocks.values()),
            rounds=self._finals.count,
            again_rounds=self._again.count,
            settled=self.settled,
        )

    def with_lever(self) -> tuple[Table | None, Estimate | None]:
        """The same with the lever on, and what it does for the one that is named without it."""
        plain = self._table(self._again)
        lifted = Judged(self._finalists, Rounds(), None, self._lever_on).table()
        if plain is None or lifted is None:
            return None, None
        return lifted, lever_gain(self._again, self._lever_on, plain.named)

    # The short look ----------------------------------------------------------------------------------------------

    def _look(self, name: str, among: Sequence[Candidate], share: float) -> None:
        if not among:
            return
        self._known |= {one.label: one for one in among}
        self.told.stage(name, self._left(share))
        block = self._look_block(len(among), share)
        for turn in range(LOOKS):
            if turn and self._left(share) <= 0:
                break
            self.measuring.round(self._looked, among, block)

    def _look_block(self, count: int, share: float) -> float:
        """Seconds a block, so that the look fits its share."""
        fits = self._left(share) / (count * LOOKS) - self.measuring.overhead_s
        return max(self._least_block(), min(max(fits, _SHORTEST_S), _LONGEST_S))

    def _least_block(self) -> float:
        rate = self.candidates[0].spec.rate
        return MESSAGES / rate if rate else 0.0

    def _options(self) -> list[Candidate]:
        """One option each of the best mechanisms, as many as there is time for."""
        each = LOOKS * (max(_SHORTEST_S, self._least_block()) + self.measuring.overhead_s)
        fit = int(max(0.0, self._left(self.shares.options)) / each)
        infos = {info.name: info for info in self.infos}
        best = sorted(self._figures(), key=self._middle)
        found = [one for label in best for one in self._variants(label, infos)]
        return found[:fit]

    def _variants(self, label: str, infos: dict[str, MechanismInfo]) -> Iterable[Candidate]:
        candidate = self._known[label]
        return variants(candidate, infos[candidate.spec.mechanism])

    def _choose(self) -> list[Candidate]:
        """Those that are worth rounds, the most worth first; no mechanism with two of its options.

        A map wants a name alone: what is far behind is left out, also as something to compare with.
        """
        order = sorted(self._figures(), key=self._middle)
        if not order:
            return []
        best = list({self._known[label].spec.mechanism: label for label in reversed(order)}.values())[::-1]
        plain = [label for label in order if label == self._known[order[0]].spec.mechanism]
        simplest = min(order, key=lambda label: self._known[label].rank)
        prices = self._looked.prices()
        cheapest = min(order, key=lambda label: sorted(prices[label].values())[len(prices[label]) // 2])
        near = [label for label in best if self._middle(label) <= _FAR * self._middle(order[0])]
        shown = [*best[:3], *plain, simplest, cheapest] if self.measures_again else near[:2]
        return [self._known[label] for label in dict.fromkeys([*shown, *near])][:FINALISTS]

    # The finals --------------------------------------------------------------------------------------------------

    def _final(self) -> None:
        end = self.shares.finals if self.measures_again else 1.0
        self.told.stage("finals", self._left(end))
        block = max(_FINAL_S, self._least_block())
        most = self._fit(self._left(end), len(self._finalists) * (block + self.measuring.overhead_s))
        alpha = ALPHA if self.measures_again else 2 * ALPHA
        trial = self._trial = Elimination([one.label for one in self._finalists], most, alpha)
        while not self.settled and self._finals.count < most:
            self.measuring.round(self._finals, self._of(trial.active), block)
            late = self._finals.count + 1 < most and self._left(end) <= 0
            self.settled = trial.look(self._finals.figures(), last=late)
            if late:
                break

    def _fit(self, seconds: float, each: float) -> int:
        return max(1, min(MOST_ROUNDS, int(seconds / each)))

    def _of(self, labels: Iterable[str]) -> list[Candidate]:
        return [self._known[label] for label in labels]

    # Once more, after the decision -------------------------------------------------------------------------------

    def _once_more(self) -> None:
        table = self._table(Rounds())
        if table is None or not self.measures_again or (len(table.arms) < 2 and self.lever is None):
            return
        order = [table.fastest, table.named, *table.simpler, *(arm.label for arm in table.arms)]
        left = self._left(1.0) + (self.seconds * self.shares.lever if self.lever else 0.0)
        self.told.stage("again", left)
        block = max(_BLOCK_S, self._least_block())
        chosen, rounds = self._enough(self._of(dict.fromkeys(order)), block, left)
        for _ in range(rounds):
            self._arms(chosen, block)

    def _enough(self, among: list[Candidate], block: float, left: float) -> tuple[list[Candidate], int]:
        """As many as there is time for to tell them apart, the first two at least; and the rounds, fixed now."""
        for count in range(min(AGAIN, len(among)), 0, -1):
            each = count * (block + self.measuring.overhead_s)
            rounds = self._fit(left, each if self.lever is None else 2 * (each + self.lever.seconds))
            if count <= 2 or rounds > rounds_needed(count):
                break
        return among[:count], rounds

    def _arms(self, chosen: Sequence[Candidate], block: float) -> None:
        """One round; with a lever that works, one with it off and one with it on."""
        if self.lever is None or self.lever_failed:
            self.measuring.round(self._again, chosen, block)
            return
        for on in self.measuring.rng.choice(((False, True), (True, False))):
            try:
                self.lever.turn(on=on)
            except NotPossible as refused:  # the kernel, or someone else: what is measured without it stays
                self.lever_failed = refused.what
                return
            self.measuring.round(self._lever_on if on else self._again, chosen, block)

    # What it comes to --------------------------------------------------------------------------------------------

    def _table(self, again: Rounds) -> Table | None:
        return Judged(self._finalists, self._finals, self._trial, again).table()

    def _left(self, share: float) -> float:
        return self._begun + share * self.seconds - time.monotonic()

    def _figures(self) -> dict[str, dict[int, float]]:
        return self._looked.figures()

    def _middle(self, label: str) -> float:
        figures = sorted(self._looked.figures()[label].values())
        return figures[len(figures) // 2]

    def _look_of(self, label: str) -> Looked:
        blocks = self._looked.of(label)
        medians = sorted(b.p50_ns for b in blocks if b.p50_ns is not None)
        rates = sorted(b.rate for b in blocks)
        return Looked(label, medians[len(medians) // 2] if medians else None, rates[len(rates) // 2])
