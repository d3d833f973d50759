"""Who is fastest, and who can't be told apart from it: pure functions of figures that were measured in rounds.

A figure is a time, lower is better. Two are compared by the rounds that hold both, so that whatever changes from round
to round meets them alike. The order inside a round is drawn at random, and `judge` takes its pairs from that.
"""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import log

from ipctune.judge.confirm import confirm
from ipctune.judge.flips import pairs_needed
from ipctune.judge.sequential import Plan, decide, plan
from ipctune.judge.verdict import Decision, Estimate, Word

__all__ = [
    "ALPHA",
    "Beats",
    "Elimination",
    "Figures",
    "against",
    "all_beats",
    "merged",
    "middle",
    "pairs_of",
    "rounds_needed",
    "shifts",
    "unbeaten",
]

Figures = Mapping[str, Mapping[int, float]]
"""By candidate, then by round."""
Beats = frozenset[tuple[str, str]]
"""Pairs that were told apart, the faster one first."""

ALPHA = 0.025
"""Chance to tell any two apart that are the same, over all pairs together: once to decide, once when measured again."""
LEAST = 0.01
"""An effect below this is not worth a word, however sure it is."""


def shifts(figures: Figures, a: str, b: str) -> list[float]:
    """Logarithms of B over A, of the rounds that hold both."""
    ours, theirs = figures.get(a, {}), figures.get(b, {})
    return [log(theirs[at] / ours[at]) for at in sorted(ours.keys() & theirs.keys())]


def against(figures: Figures, a: str, b: str, alpha: float) -> Estimate | None:
    """By which fraction B takes longer than A; None without a common round."""
    d = shifts(figures, a, b)
    return confirm(d, alpha) if d else None


def pairs_of(labels: Collection[object]) -> int:
    """How many comparisons share the level."""
    return max(1, len(labels) * (len(labels) - 1) // 2)


def rounds_needed(count: int, alpha: float = ALPHA) -> int:
    """The fewest rounds in which `count` of them can be told apart at all."""
    return pairs_needed(alpha / pairs_of(range(count)))


def all_beats(figures: Figures, labels: Sequence[str], alpha: float = ALPHA) -> Beats:
    """Who beats whom after a number of rounds that was fixed before the first, all pairs sharing `alpha`."""
    found = set()
    for a, b in combinations(labels, 2):
        told = against(figures, a, b, alpha / pairs_of(labels))
        if told is None or abs(told.effect) < LEAST:
            continue
        if told.low is not None and told.low > 0:
            found.add((a, b))
        elif told.high is not None and told.high < 0:
            found.add((b, a))
    return frozenset(found)


def merged(first: Beats, second: Beats) -> Beats:
    """What two measurements say together: where they contradict each other, nothing."""
    return frozenset((a, b) for a, b in first | second if (b, a) not in first | second)


def unbeaten(labels: Iterable[str], beats: Beats) -> list[str]:
    """Whom nobody beats; all of them where each is beaten by another, which noise can do and no machine."""
    labels = list(labels)
    losers = {b for a, b in beats if a in labels}
    return [label for label in labels if label not in losers] or labels


def middle(figures: Figures, label: str) -> float:
    """The median of its rounds; infinite without one."""
    return statistics.median(figures[label].values()) if figures.get(label) else float("inf")


@dataclass
class Elimination:
    """Compares all pairs at the looks of a trial; whoever is beaten leaves, and need not be measured any more.

    `most` is the number of rounds at most, fixed before the first.
    """

    labels: Sequence[str]
    most: int
    alpha: float = ALPHA
    beats: Beats = frozenset()
    _closed: set[tuple[str, str]] = field(default_factory=set)
    _found: dict[tuple[str, str], Decision] = field(default_factory=dict)

    @property
    def looks(self) -> Plan:
        """When to look, and at which level."""
        return plan(max(1, self.most), alpha=self.alpha, family=pairs_of(self.labels))

    @property
    def active(self) -> list[str]:
        """Whom to measure."""
        return unbeaten(self.labels, self.beats)

    def look(self, figures: Figures, *, last: bool = False) -> bool:
        """After each round, and once with `last` when time is up. True: more rounds would tell nothing more."""
        looks = self.looks
        for a, b in combinations(self.active, 2):
            d = shifts(figures, a, b)
            if d and (a, b) not in self._closed:
                self._decide((a, b), decide(looks, d, LEAST, last=last))
        return all(pair in self._closed for pair in combinations(self.active, 2))

    def _decide(self, pair: tuple[str, str], found: Decision) -> None:
        """Between looks nothing is known that was not known before."""
        if found.low is not None or found.high is not None or found.stop:
            self._found[pair] = found
        if found.stop:
            self._closed.add(pair)
        if found.verdict in (Word.BETTER, Word.WORSE):
            self.beats |= {pair if found.verdict is Word.WORSE else pair[::-1]}

    def told(self, a: str, b: str) -> Estimate | None:
        """By which fraction B takes longer than A, as the last look at them said; None where they had none."""
        if (a, b) in self._found:
            return _estimate(self._found[a, b])
        return _flipped(_estimate(self._found[b, a])) if (b, a) in self._found else None


def _estimate(found: Decision) -> Estimate:
    return Estimate(found.effect, found.low, found.high, found.pairs)


def _flipped(told: Estimate) -> Estimate:
    """The same with A and B exchanged."""
    return Estimate(_inverse(told.effect), _bound(told.high), _bound(told.low), told.pairs)


def _bound(fraction: float | None) -> float | None:
    return None if fraction is None else _inverse(fraction)


def _inverse(fraction: float) -> float:
    return 1 / (1 + fraction) - 1
