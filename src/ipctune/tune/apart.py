"""Leave-one-out: the whole set that was proved against the set without each member, in interleaved pairs.

Only what is proved is kept, so a member stays where its own benefit beside the others is shown, by the goal's rule. One
that is not shown leaves, also where the pairs leave it open: of two that do the same, each looks useless beside the
other, so the least useful leaves alone, and the rest is looked at again. Where there was no time, that is said.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ipctune.journal.change import Change
from ipctune.judge.flips import pairs_needed
from ipctune.judge.sequential import Plan
from ipctune.tune.budget import Clock
from ipctune.tune.goals import Judgement, judge, lower, metric
from ipctune.tune.guard import Check, nobody_looks
from ipctune.tune.measure import Pairs, pair_seconds
from ipctune.tune.model import Apart, Contribution, LoadResult, Settings
from ipctune.tune.point import Point, points_of
from ipctune.tune.switch import ChangeSwitch, SetSwitch, Switch
from ipctune.tune.trial import load_result
from ipctune.workload.model import Workload

__all__ = ["LeaveOneOut", "Without", "contribution", "settle_of"]

_ALPHA = 0.05
_SPARE = 2  # pairs beyond the least that could tell: one pair against needs room
_MOST = 30


@dataclass(frozen=True, slots=True)
class Without:
    """On is the whole set, off the set without one member; `whole` holds that member as well."""

    whole: Sequence[Switch]
    member: Switch

    def on(self) -> None:
        for switch in self.whole:
            switch.on()

    def off(self) -> None:
        self.member.off()
        for switch in self.whole:
            if switch is not self.member:
                switch.on()

    def spec(self, spec: Point, *, on: bool) -> Point:
        for switch in self.whole:
            spec = switch.spec(spec, on=on or switch is not self.member)
        return spec

    def own_cpu_ns(self) -> float:
        return sum(switch.own_cpu_ns() for switch in self.whole)


@dataclass
class LeaveOneOut:
    """Looks at the members of a set that was proved, within the clock's time; `found` is in the order of answers."""

    settings: Settings
    clock: Clock
    rng: random.Random
    tick: Callable[[str], None]
    workload: Workload | None = None
    check: Check = nobody_looks
    found: list[Apart] = field(default_factory=list)

    def seconds(self, changes: Sequence[Change], pairs: int = 0) -> float:
        """What a look at each of these members takes; with the fewest pairs that can tell where `pairs` is 0."""
        if len(changes) < 2:
            return 0.0
        each = pair_seconds(len(self._points()), self.settings.block, max(self.settings.rest, settle_of(changes)))
        return len(changes) * (pairs or self._least(len(changes))) * each

    def contributing(self, changes: Sequence[Change], after: float) -> list[Change]:
        """The members that stay; those that leave are off. `after` s of the clock stay for a proof of what is left.

        Raises what a trial raises: then nothing is known, and all of it goes back.
        """
        stay, shown = list(changes), set[str]()
        while len(stay) > 1 and (unknown := [c for c in stay if c.knob.id not in shown]):
            left = self.clock.left() - after
            if left < self._round_seconds(stay, unknown, 0):
                self.found += [_no_time(c, self._round_seconds(stay, unknown, 0)) for c in unknown]
                break
            looked = self._look(stay, unknown, self._pairs(stay, unknown, left))
            shown |= {one.knob for one in looked if one.word is Contribution.SHOWN}
            self.found += [one for one in looked if one.word is Contribution.SHOWN]
            idle = [one for one in looked if one.word is not Contribution.SHOWN]
            if not idle:
                break
            leaves = max(idle, key=lambda one: sum(lower(self.settings.goal, load) for load in one.loads))
            self.found.append(leaves)
            gone = next(c for c in stay if c.knob.id == leaves.knob)
            gone.unset()
            stay.remove(gone)
        return stay

    def _points(self) -> tuple[Point, ...]:
        return points_of(self.settings, self.workload)

    def _family(self, members: int) -> int:
        return members * len(self._points())

    def _least(self, members: int) -> int:
        return pairs_needed(_ALPHA / self._family(members)) + _SPARE

    def _round_seconds(self, stay: Sequence[Change], unknown: Sequence[Change], pairs: int) -> float:
        return self.seconds(stay, pairs or self._least(len(stay))) * len(unknown) / len(stay)

    def _pairs(self, stay: Sequence[Change], unknown: Sequence[Change], left: float) -> int:
        """As many as fit, a number that is fixed before the first is measured."""
        fit = int(left / self._round_seconds(stay, unknown, 1))
        return max(self._least(len(stay)), min(_MOST, fit))

    def _look(self, stay: Sequence[Change], unknown: Sequence[Change], count: int) -> list[Apart]:
        points, switches = self._points(), [ChangeSwitch(change) for change in stay]
        settle = settle_of(stay)
        looks = Plan(count, (count,), (1.0,), _ALPHA, self._family(len(stay)))
        whole = SetSwitch(switches)
        asked, rng = self.settings, self.rng

        def check(_: object) -> bool:
            return self.check(whole.off)  # a pause is for all of them, not for the member alone

        measured = [
            Pairs(points, Without(switches, switch), asked.block, asked.rest, rng, settle, check)
            for switch in switches
            if switch.change in unknown
        ]
        for done in range(count):
            for pairs in measured:
                pairs.measure()
            self.tick(f"the set without each of its settings: pair {done + 1} of {count}")
        found = []
        for change, pairs in zip(unknown, measured, strict=True):
            loads = tuple(load_result(p, s, looks) for p, s in zip(points, pairs.series, strict=True))
            found.append(_apart(change, loads, self.settings, count))
        return found


def settle_of(changes: Sequence[Change]) -> float:
    """How long to wait after switching all of them, in s."""
    return max((change.knob.settle for change in changes), default=0.0)


def _apart(change: Change, loads: tuple[LoadResult, ...], settings: Settings, pairs: int) -> Apart:
    judged = judge(settings.goal, loads, idle_vcpus=None, max_cpu=settings.max_cpu, max_idle_cpu=settings.max_idle_cpu)
    word = contribution(settings, loads, judged)
    return Apart(change.knob.id, change.knob.title, dict(change.values[0]), word, judged.why, loads, pairs)


def contribution(settings: Settings, loads: Sequence[LoadResult], judged: Judgement) -> Contribution:
    """What a member does beside the others. A gain with a harm or a price that the goal does not allow is none; where a
    harm is merely not excluded yet, the member's own trial and the set's proof have excluded it."""
    if judged.keep or (judged.helps and not judged.settled):
        return Contribution.SHOWN
    words = {metric(settings.goal, load).word for load in loads}
    return Contribution.UNDECIDED if "undecided" in words and not judged.helps else Contribution.NONE


def _no_time(change: Change, seconds: float) -> Apart:
    why = "there was no time to measure the set without it"
    return Apart(change.knob.id, change.knob.title, dict(change.values[0]), Contribution.NO_TIME, why, (), 0, seconds)
