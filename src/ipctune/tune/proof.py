"""The kept set as a whole against the start, in blocks that took part in no decision before."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ipctune.journal.change import Change
from ipctune.journal.session import Session
from ipctune.tune.budget import Clock
from ipctune.tune.goals import judge
from ipctune.tune.guard import Check, nobody_looks
from ipctune.tune.measure import Pairs, pair_seconds
from ipctune.tune.model import Proof, Settings
from ipctune.tune.plan import Candidate
from ipctune.tune.point import points_of, unpinned
from ipctune.tune.series import Series
from ipctune.tune.switch import ChangeSwitch, SetSwitch
from ipctune.tune.trial import load_result
from ipctune.workload.model import Workload

__all__ = ["PROOF_PAIRS", "prove"]

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
    """Measure, pinned as tried and not pinned; keep the set if the goal still keeps it, else take it back."""
    with ExitStack() as stack:
        changes = [stack.enter_context(Change(session.journal, c.knob, [c.value])) for c in winners]
        proof = _measure(changes, settings, clock, rng, tick, workload, check)
        if proof.held:
            for change, candidate in zip(changes, winners, strict=True):
                change.keep(0)
                session.keep(candidate.knob, candidate.value)
    return proof


def _measure(
    changes: Sequence[Change],
    settings: Settings,
    clock: Clock,
    rng: random.Random,
    tick: Callable[[str], None],
    workload: Workload | None,
    check: Check,
) -> Proof:
    tried = points_of(settings, workload)
    points = (*tried, *unpinned(tried))
    settle = max((change.knob.settle for change in changes), default=0.0)
    switch = SetSwitch([ChangeSwitch(change) for change in changes])
    pairs = Pairs(points, switch, settings.block, settings.rest, rng, settle, check)
    each = pair_seconds(len(points), settings.block, max(settings.rest, settle))
    end = time.monotonic() + max(clock.share(0.25), clock.left(), PROOF_PAIRS * each)
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
    return Proof(loads, found.keep, found.why, _drift(pairs.series[len(tried) - 1]), done)


def _drift(series: Series) -> float | None:
    """How the baseline itself moved from the first third of the blocks to the last, as a fraction."""
    values = [series.a.p50(i) for i in range(series.pairs())]
    third = len(values) // 3
    if third == 0:
        return None
    return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1
