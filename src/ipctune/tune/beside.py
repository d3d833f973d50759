"""What a setting does to a program that has nothing to do with it: a bystander beside the pair, with it and without.

Measured in blocks of their own, once a candidate has won and before it is kept: in no other block anything runs beside.
"""

import random
import time
from dataclasses import dataclass

from ipctune.bench.bystander import PERIOD_NS, WORK_NS, beside, rounds_of
from ipctune.bench.core import run
from ipctune.bench.spec import Spec
from ipctune.judge.confirm import confirm
from ipctune.judge.flips import pairs_of
from ipctune.judge.order import pair_orders
from ipctune.tune.guard import Check
from ipctune.tune.model_guard import Bystander
from ipctune.tune.switch import Switch

__all__ = ["BESIDE_PAIRS", "HARM", "Beside", "beside_seconds"]

BESIDE_PAIRS = 6
"""The fewest for a sign-flip interval at 95 %."""
HARM = 0.05
"""How much longer the bystander's work may take: more, with the whole interval above none, and nothing is kept."""
_OVERHEAD = 0.1  # seconds a block: two starts of the core


def beside_seconds(block: float, rest: float) -> float:
    """What a look at the bystander takes."""
    return 2 * BESIDE_PAIRS * (rest + block + _OVERHEAD)


@dataclass
class Beside:
    """Measures with the built-in pair as fast as it goes, whatever else the run measures: it wakes most."""

    pair: Spec
    block: float
    rest: float
    rng: random.Random
    rounds: int | None = None

    def of(self, switch: Switch, check: Check) -> Bystander:
        """The bystander with the switch on against off. Raises what the core raises."""
        if self.rounds is None:
            switch.off()
            self.rounds = rounds_of()
        now: list[float] = []
        tried: list[float] = []
        for order in pair_orders(self.rng, BESIDE_PAIRS):
            for arm in order:
                (tried if arm == "B" else now).append(self._one(switch, is_b=arm == "B"))
            check(switch.off)
        found = confirm(pairs_of(now, tried))
        worse = found.low is not None and found.low > 0 and found.effect >= HARM
        word = "worse" if worse else "no difference" if found.high is not None and found.high < HARM else "undecided"
        means = (sum(now) / len(now), sum(tried) / len(tried))
        return Bystander(PERIOD_NS, WORK_NS, *means, word, found.effect, found.low, found.high)

    def _one(self, switch: Switch, *, is_b: bool) -> float:
        if is_b:
            switch.on()
        else:
            switch.off()
        time.sleep(self.rest)
        with beside(self.block, self.rounds or 0) as bystander:
            run(self.pair, self.block, self.rng.getrandbits(31))
            return bystander.result().mean_ns
