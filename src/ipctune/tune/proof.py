"""The kept set as a whole against the start, in blocks that took part in no decision before."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from ipctune.errors import IpctuneError
from ipctune.journal.change import Change
from ipctune.journal.session import Session
from ipctune.tune.apart import LeaveOneOut, settle_of
from ipctune.tune.budget import Clock
from ipctune.tune.goals import judge
from ipctune.tune.guard import Check, nobody_looks
from ipctune.tune.measure import Pairs, pair_seconds
from ipctune.tune.model import Apart, Contribution, Outcome, Proof, Settings, Trial
from ipctune.tune.plan import Candidate
from ipctune.tune.point import points_of, unpinned
from ipctune.tune.series import Series
from ipctune.tune.switch import ChangeSwitch, SetSwitch
from ipctune.tune.trial import load_result, traffic_changed
from ipctune.workload.model import Workload

__all__ = ["PROOF_PAIRS", "prove", "told_apart"]

PROOF_PAIRS = 6
"""The fewest pairs of a proof: a sign-flip interval at 95 % needs six."""
_MOST = 30
_SHOWN = 3  # the loads that are only shown (not pinned) are measured with every third pair


def prove(
    winners: Sequence[Candidate],
    settings: Settings,
    session: Session,
    clock: Clock,
    rng: random.Random,
    tick: Callable[[str], None],
    workload: Workload | None = None,
    check: Check = nobody_looks,
) -> Proof:
    """Measure, pinned as tried and not pinned; keep the set if the goal still keeps it, else take it back.

    Of two or more, those stay whose own benefit is shown; where one leaves, what is left is proved again.
    """
    with ExitStack() as stack:
        changes = [stack.enter_context(Change(session.journal, c.knob, [c.value])) for c in winners]
        apart = LeaveOneOut(settings, clock, rng, tick, workload, check)
        least = _least_seconds(changes, settings, workload)
        reserve = apart.seconds(changes) + least
        fits = len(changes) > 1 and clock.left() >= least + reserve
        spare = clock.left() - reserve if fits else max(clock.share(0.25), clock.left())
        proof = _measure(changes, settings, spare, rng, tick, workload, check)
        if proof.held and len(changes) > 1:
            try:
                rest = apart.contributing(changes, least)
                if len(rest) < len(changes):
                    proof = _measure(rest, settings, clock.left(), rng, tick, workload, check)
            except IpctuneError as error:  # the minutes before it are worth a report
                return replace(proof, held=False, why=error.what, apart=tuple(apart.found))
            proof, changes = replace(proof, apart=tuple(apart.found)), rest
        if proof.held:
            for change in changes:
                change.keep(0)
                session.keep(change.knob, change.values[0])
    return proof


def _least_seconds(changes: Sequence[Change], settings: Settings, workload: Workload | None) -> float:
    """What a proof with the fewest pairs takes."""
    tried = points_of(settings, workload)
    return PROOF_PAIRS * pair_seconds(
        len(tried) + len(unpinned(tried)), settings.block, max(settings.rest, settle_of(changes))
    )


def _measure(
    changes: Sequence[Change],
    settings: Settings,
    spare: float,
    rng: random.Random,
    tick: Callable[[str], None],
    workload: Workload | None,
    check: Check,
) -> Proof:
    """The fewest pairs, and as many more as fit into `spare` s."""
    tried = points_of(settings, workload)
    points = (*tried, *unpinned(tried))
    settle = settle_of(changes)
    switch = SetSwitch([ChangeSwitch(change) for change in changes])
    pairs = Pairs(points, switch, settings.block, settings.rest, rng, settle, check)
    each = pair_seconds(len(points), settings.block, max(settings.rest, settle))
    end = time.monotonic() + max(spare, PROOF_PAIRS * each)
    done = 0
    while done < PROOF_PAIRS or (done < _MOST and time.monotonic() + each < end):
        pairs.measure(None if done < PROOF_PAIRS or done % _SHOWN == 0 else len(tried))
        done += 1
        tick(f"proof: pair {done}")
    loads = tuple(load_result(point, s, None) for point, s in zip(points, pairs.series, strict=True))
    found = judge(
        settings.goal,
        loads[: len(tried)],
        idle_vcpus=None,
        max_cpu=settings.max_cpu,
        max_idle_cpu=settings.max_idle_cpu,
    )
    changed = traffic_changed(pairs)
    return Proof(loads, found.keep and not changed, changed or found.why, _drift(pairs.series[len(tried) - 1]), done)


def _drift(series: Series) -> float | None:
    """How the baseline itself moved from the first third of the blocks to the last, as a fraction."""
    values = [series.a.p50(i) for i in range(series.pairs())]
    third = len(values) // 3
    if third == 0:
        return None
    return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1


def told_apart(trials: Sequence[Trial], proof: Proof) -> list[Trial]:
    """The trials, with what became of winners that left the set beside the others."""
    left = {one.knob: one for one in proof.apart if not one.stays}
    return [_left(t, left[t.knob]) if t.outcome is Outcome.KEPT and t.knob in left else t for t in trials]


def _left(trial: Trial, one: Apart) -> Trial:
    outcome = Outcome.COVERED if one.word is Contribution.NONE else Outcome.UNDECIDED
    return replace(trial, outcome=outcome, why=f"won alone, {one.word} beside the others: put back")
