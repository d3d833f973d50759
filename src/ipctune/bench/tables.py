"""From rounds to the table that is shown: who is fastest, who is named, and what all others are against the fastest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ipctune.bench.candidates import Candidate
from ipctune.bench.recommendation import Arm, Table, arm_of
from ipctune.bench.rounds import Rounds
from ipctune.bench.standing import ALPHA, Beats, Elimination, against, all_beats, merged, middle, pairs_of, unbeaten
from ipctune.judge.verdict import Estimate

__all__ = ["Judged", "lever_gain"]

_PLAIN_LEVEL = 0.05


@dataclass(frozen=True)
class Judged:
    """The finalists, what their rounds decided, and what was measured after it."""

    finalists: Sequence[Candidate]
    finals: Rounds
    trial: Elimination | None
    again: Rounds

    def table(self) -> Table | None:
        """The verdict; None before each has a block. What was measured again says more than what decided."""
        known = [one for one in self.finalists if self.finals.of(one.label) or self.again.of(one.label)]
        if not known:
            return None
        beats = merged(self.trial.beats if self.trial else frozenset(), _beats(self.again))
        group = unbeaten([one.label for one in known], beats)
        fastest = self._fastest(group)
        arms = [self._arm(one, fastest, apart=one.label not in group) for one in known]
        return _table(known, fastest, arms)

    def _fastest(self, group: Sequence[str]) -> str:
        """Of those that were measured again, if any, the first by their pairs with the one that the finals had first.

        All pairs share the level, so whichever is taken, its intervals hold.
        """
        figures = (self.finals if self.finals.blocks else self.again).figures()
        first = min(group, key=lambda label: middle(figures, label))
        group = [label for label in group if self.again.of(label)]
        return min(group, key=lambda label: self._effect(first, label), default=first)

    def _effect(self, first: str, label: str) -> float:
        told = self._against(first, label)
        return 0.0 if told is None else told.effect

    def _arm(self, one: Candidate, fastest: str, *, apart: bool) -> Arm:
        again = bool(self.again.of(one.label))
        arm = replace(arm_of(one, (self.again if again else self.finals).of(one.label)), apart=apart, again=again)
        if one.label == fastest:
            return arm
        source, level = self._source(fastest, one.label)
        dearer = against(source.prices(), fastest, one.label, level)
        return replace(arm, slower=self._against(fastest, one.label), dearer=dearer)

    def _against(self, a: str, b: str) -> Estimate | None:
        """Measured again, where that was long enough for an interval; else what decided."""
        source, level = self._source(a, b)
        found = against(source.figures(), a, b, level)
        decided = self.trial.told(a, b) if self.trial is not None else None
        open_yet = source is self.finals or found is None or found.low is None or found.high is None
        return decided if open_yet and decided is not None else found

    def _source(self, a: str, b: str) -> tuple[Rounds, float]:
        """The rounds that compare the two, and the level of a pair there: measured again, if both were."""
        source = self.again if self.again.of(a) and self.again.of(b) else self.finals
        return source, ALPHA / pairs_of(source.blocks)


def _beats(rounds: Rounds) -> Beats:
    return all_beats(rounds.figures(), sorted(rounds.blocks))


def _table(known: Sequence[Candidate], fastest: str, arms: Sequence[Arm]) -> Table:
    near = {arm.label for arm in arms if arm.near}
    named = min((one for one in known if one.label in near), key=lambda one: one.rank)
    order = sorted(arms, key=lambda arm: (arm.label != fastest, arm.slower.effect if arm.slower else 0.0))
    return Table(fastest, named.label, tuple(order))


def lever_gain(off: Rounds, on: Rounds, label: str) -> Estimate | None:
    """What the lever does for one, in pairs of the same round; None where there are none."""
    without, with_it = off.figures().get(label, {}), on.figures().get(label, {})
    return against({"off": without, "on": with_it}, "off", "on", _PLAIN_LEVEL)
