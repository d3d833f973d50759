"""Hold the judge against simulated noise: how often is it wrong, how often does it find what is there?

Everything is seeded, so two runs print the same figures. Trials have 40 pairs at most, in random order inside each
pair, and the judge's own looks and early stops. `shared` noise is that of tests/noise.py; `real` noise is pairs whose
logarithms scatter as blocks of 0.3 s did on a virtual machine (Student's t with 5 degrees of freedom, scaled).

    PYTHONPATH=src:. python benchmarks/judge.py [--runs 2000] [--json] [--check]
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tests.noise import blocks

from ipctune.judge.flips import pairs_of
from ipctune.judge.order import pair_orders
from ipctune.judge.sequential import Decision, Plan, Word, decide, plan

PAIRS = 40
KNOBS = 10
SIDES = (Word.BETTER, Word.WORSE)

Draw = Callable[[random.Random], list[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: `share` of its runs in which what is counted happened, and what was promised of it, if anything.

    `mean_pairs` is what a trial took; `shown` is the median least effect that a trial says it could have seen.
    """

    scenario: str
    counted: str
    runs: int
    share: float
    at_most: float | None
    at_least: float | None
    mean_pairs: float
    shown: float | None

    @property
    def holds(self) -> bool:
        return (self.at_most is None or self.share <= self.at_most) and (
            self.at_least is None or self.share >= self.at_least
        )


def shared(effect: float) -> Draw:
    """Pairs of blocks from one series in time that both arms share."""

    def draw(rng: random.Random) -> list[float]:
        orders = pair_orders(rng, PAIRS)
        values = blocks(rng, "".join(orders), effect)
        first, second = values[::2], values[1::2]
        a = [x if order == "AB" else y for order, x, y in zip(orders, first, second, strict=True)]
        b = [y if order == "AB" else x for order, x, y in zip(orders, first, second, strict=True)]
        return pairs_of(a, b)

    return draw


def real(effect: float, scatter: float) -> Draw:
    """Pairs that scatter by `scatter` (standard deviation of the logarithm) with the tails of a real machine."""
    freedom = 5
    unit = scatter * math.sqrt((freedom - 2) / freedom)

    def one(rng: random.Random) -> float:
        return math.log1p(effect) + unit * rng.gauss(0, 1) / math.sqrt(rng.gammavariate(freedom / 2, 2 / freedom))

    return lambda rng: [one(rng) for _ in range(PAIRS)]


def trial(the_plan: Plan, d: list[float]) -> Decision:
    """One trial, stopped where the judge stops it."""
    for look in the_plan.looks:
        decision = decide(the_plan, d[:look])
        if decision.stop:
            break
    return decision


def row(
    scenario: str,
    draw: Draw,
    counts: tuple[Word, ...],
    *,
    runs: int,
    seed: int,
    family: int = KNOBS,
    together: int = 1,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Row:
    """Run a scenario. With `together` trials a run, a run counts if any of them does."""
    rng = random.Random(seed)
    the_plan = plan(PAIRS, family=family)
    results = [[trial(the_plan, draw(rng)) for _ in range(together)] for _ in range(runs)]
    hits = sum(any(decision.verdict in counts for decision in result) for result in results)
    every = [decision for result in results for decision in result]
    seen = sorted(decision.could_have_seen for decision in every if decision.could_have_seen is not None)
    return Row(
        scenario=scenario,
        counted="/".join(counts),
        runs=runs,
        share=hits / runs,
        at_most=at_most,
        at_least=at_least,
        mean_pairs=sum(decision.pairs for decision in every) / len(every),
        shown=seen[len(seen) // 2] if seen else None,
    )


def promised(runs: int, seed: int = 1) -> list[Row]:
    """What the judge promises under shared noise."""
    better = (Word.BETTER,)
    return [
        row("equal arms, alone", shared(0), SIDES, runs=runs, seed=seed, family=1, at_most=0.05),
        row("ten useless knobs, any kept", shared(0), better, runs=runs, seed=seed, together=KNOBS, at_most=0.05),
        row("5 % less, one of ten", shared(-0.05), better, runs=runs, seed=seed, at_least=0.95),
        row("2 % less, one of ten", shared(-0.02), better, runs=runs, seed=seed, at_least=0.75),
    ]


def told(runs: int, seed: int = 1) -> list[Row]:
    """What to expect under noise as coarse as a real machine's, as one of ten knobs."""
    return [
        row(
            f"{-effect:.0%} less, real scatter {scatter:.2f}" if effect else f"equal arms, real scatter {scatter:.2f}",
            real(effect, scatter),
            (Word.BETTER,) if effect else SIDES,
            runs=runs,
            seed=seed,
        )
        for scatter in (0.12, 0.15, 0.18)
        for effect in (0.0, -0.05, -0.10, -0.14)
    ]


def table(rows: list[Row]) -> str:
    lines = [
        f"{'scenario':36}{'counted':>14}{'runs':>7}{'share':>9}{'promised':>11}{'pairs':>7}{'could have seen':>17}"
    ]
    for found in rows:
        promise = f"<= {found.at_most:.0%}" if found.at_most is not None else ""
        promise = f">= {found.at_least:.0%}" if found.at_least is not None else promise
        shown = "" if found.shown is None else f"{found.shown:.1%}"
        verdict = "" if found.holds else "  BROKEN"
        lines.append(
            f"{found.scenario:36}{found.counted:>14}{found.runs:>7}{found.share:>9.2%}{promise:>11}"
            f"{found.mean_pairs:>7.1f}{shown:>17}{verdict}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="The judge against simulated noise.")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 where a promise is broken")
    chosen = parser.parse_args()
    rows = promised(chosen.runs, chosen.seed) + told(max(1, chosen.runs // 4), chosen.seed)
    print(json.dumps([asdict(found) for found in rows], indent=1) if chosen.json else table(rows))
    return 1 if chosen.check and not all(found.holds for found in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
