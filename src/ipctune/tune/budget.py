"""How the time of a run is shared out, and what it is not enough for."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.knobs.model import Kind
from ipctune.tune.beside import beside_seconds
from ipctune.tune.measure import pair_seconds
from ipctune.tune.model import Settings
from ipctune.tune.plan import Candidate
from ipctune.tune.trial import REFERENCE_PAIRS

__all__ = ["LEAST_PAIRS", "SURE_PAIRS", "Clock", "pairs_for", "seconds_for", "shortage", "stays", "winner_seconds"]

LEAST_PAIRS = 12
"""Pairs below which a sign-flip verdict at the level of several knobs can't be reached."""
SURE_PAIRS = 30
"""Pairs after which scatter of some tens of per cent at one of several loads hardly leaves a verdict open."""


@dataclass
class Clock:
    """The run's budget in seconds. Time that the user spends on the plan does not count."""

    seconds: float

    def __post_init__(self) -> None:
        self._start = time.monotonic()
        self._asked = self._start

    def share(self, part: float) -> float:
        return self.seconds * part

    def left(self) -> float:
        """What is left of the whole run."""
        return self.seconds - (time.monotonic() - self._start)

    def trials(self) -> float:
        """What the trials may take from now on: half of the run, and the proof's quarter stays."""
        return min(self.share(0.5), max(0.0, self.left() - self.share(0.25)))

    def pause(self) -> None:
        """The question is put: what the user takes to answer it is not the run's time."""
        self._asked = time.monotonic()

    def resume(self) -> None:
        """The answer is there."""
        self._start += time.monotonic() - self._asked


def stays(candidate: Candidate) -> bool:
    """Whether it could be kept. What belongs to a program ends as advice, and what always polls gets a short look."""
    return candidate.knob.kind is not Kind.OPTION and not candidate.reference


def _least(candidate: Candidate) -> int:
    return LEAST_PAIRS if stays(candidate) else REFERENCE_PAIRS


def winner_seconds(candidate: Candidate, settings: Settings) -> float:
    """What its price on an idle machine and the bystander take, with it and without, should it win."""
    return 2 * settings.idle + beside_seconds(settings.beside, settings.rest) if stays(candidate) else 0.0


def seconds_for(candidate: Candidate, settings: Settings, loads: int, pairs: int = 0) -> float:
    """What that many pairs of it take, over so many loads; the least that it needs where `pairs` is 0."""
    rest = max(settings.rest, candidate.knob.settle)
    return (pairs or _least(candidate)) * pair_seconds(loads, settings.block, rest)


def pairs_for(candidate: Candidate, waiting: Sequence[Candidate], settings: Settings, loads: int, left: float) -> int:
    """How many pairs this candidate may take, and 0 where its least does not fit into the `left` seconds.

    Whoever waits and fits as well gets its least, but for other values of the same knob: they matter only where this
    one does not win, and one verdict is worth more than two that are left open.
    """
    least = _least(candidate)
    each = seconds_for(candidate, settings, loads, 1)
    left -= winner_seconds(candidate, settings)
    if left < least * each:
        return 0
    if not stays(candidate):
        return least
    later = [seconds_for(c, settings, loads) for c in waiting if c.knob.id != candidate.knob.id]
    spare = left - least * each - sum(seconds for seconds, fits in _fitting(later, left - least * each) if fits)
    return min(settings.pairs, least + int(spare / each))


def _fitting(needs: Sequence[float], left: float) -> list[tuple[float, bool]]:
    """Which of them fit, one after another; one that does not is passed over."""
    found = []
    for seconds in needs:
        found.append((seconds, seconds <= left))
        left -= seconds if seconds <= left else 0.0
    return found


def shortage(candidates: Sequence[Candidate], settings: Settings, loads: int, left: float) -> str:
    """What the `left` seconds of the trials are not enough for, in words, before anything is tried; empty where they
    are enough. Those that come first in the plan are tried as far as they fit.

    A server with several loads is told the time for more pairs than a verdict needs at least: at each load it has to be
    shown that nothing got worse, and a client that sleeps to its rate scatters by some tens of per cent.
    """
    needs = [seconds_for(c, settings, loads) for c in candidates]
    idle = max((winner_seconds(c, settings) for c in candidates), default=0.0)
    fits = [fit for _, fit in _fitting(needs, left - idle)]
    several = bool(settings.workload) and loads > 1
    sure = [seconds_for(c, settings, loads, SURE_PAIRS if stays(c) and several else 0) for c in candidates]
    if all(fits) and sum(sure) <= left - idle:
        return ""
    names = [c.knob.title for c, fit in zip(candidates, fits, strict=True) if fit]
    minutes = -int(-2 * (sum(sure) + idle) // 60)
    fitting = f"fit {len(names)} of {len(needs)}: {', '.join(names)}" if names else "fit none of them"
    if several:
        what = f"{LEAST_PAIRS} {fitting}"
        each = f"{SURE_PAIRS} pairs of each setting, which {loads} loads may take,"
    else:
        what = f"it {fitting.replace('fit', 'fits', 1)}"
        each = f"{LEAST_PAIRS} pairs of each setting ({REFERENCE_PAIRS} where a short look is all it gets)"
    return f"The time is short: {each} need --time {minutes}m; {what}"
