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
        figures = (self.finals if self.finals.blocks else self.again).figures()
        fastest = min(group, key=lambda label: middle(figures, label))
        arms = [self._arm(one, fastest, apart=one.label not in group) for one in known]
        return _table(known, fastest, group, arms)

    def _arm(self, one: Candidate, fastest: str, *, apart: bool) -> Arm:
        again = bool(self.again.of(one.label))
        both = again and bool(self.again.of(fastest))
        source = self.again if both else self.finals
        arm = replace(arm_of(one, (self.again if again else self.finals).of(one.label)), apart=apart, again=again)
        if one.label == fastest:
            return arm
        level = ALPHA / pairs_of(source.blocks)
        decided = None if both or self.trial is None else self.trial.told(fastest, one.label)
        slower = decided or against(source.figures(), fastest, one.label, level)
        return replace(arm, slower=slower, dearer=against(source.prices(), fastest, one.label, level))


def _beats(rounds: Rounds) -> Beats:
    return all_beats(rounds.figures(), sorted(rounds.blocks))


def _table(known: Sequence[Candidate], fastest: str, group: Sequence[str], arms: Sequence[Arm]) -> Table:
    named = min((one for one in known if one.label in group), key=lambda one: one.rank)
    order = sorted(arms, key=lambda arm: (arm.label != fastest, arm.slower.effect if arm.slower else 0.0))
    return Table(fastest, named.label, tuple(order))


def lever_gain(off: Rounds, on: Rounds, label: str) -> Estimate | None:
    """What the lever does for one, in pairs of the same round; None where there are none."""
    without, with_it = off.figures().get(label, {}), on.figures().get(label, {})
    return against({"off": without, "on": with_it}, "off", "on", _PLAIN_LEVEL)
