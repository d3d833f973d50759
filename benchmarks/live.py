"""The judge on this machine's real noise: a knob that does nothing, and one that really slows the loop by 10 %.

    PYTHONPATH=src python benchmarks/live.py [--trials 20] [--pairs 40] [--block 0.3] [--rest 0.2] [--json] [--check]

Flat out, across two vCPUs, 64-byte pipe. Prints how many trials of each kind had which verdict. `--check` exits 1
where, scaled from 20 trials, 5 or more of the idle knob's have a verdict, or fewer than 14 of the slow one's are found.
The slow arm computes before it answers, for a tenth of the round trip that was measured first.
"""

import argparse
import json
import random
import statistics
import sys
from collections import Counter

from ipctune.bench.core import run
from ipctune.bench.spec import Spec
from ipctune.tune.measure import Pairs
from ipctune.tune.model import Goal, Settings
from ipctune.tune.point import Point
from ipctune.tune.trial import try_out

SLOWER = 0.10


class Slowed:
    """A switch that makes the server compute before it answers; 0 ns changes nothing."""

    def __init__(self, work_ns: int) -> None:
        self._work_ns = work_ns

    def on(self) -> None:
        return

    def off(self) -> None:
        return

    def spec(self, spec: Point, *, on: bool) -> Point:
        return spec.replace(work_ns=self._work_ns) if on and isinstance(spec, Spec) else spec

    def own_cpu_ns(self) -> float:
        return 0.0


def trial(work_ns: int, options: argparse.Namespace, rng: random.Random) -> tuple[str, float, int]:
    """One trial as `tune` would do it: the verdict on p50, the effect, and the pairs it took."""
    settings = Settings(goal=Goal.LATENCY, spec=Spec(cpus=(0, 1)), pairs=options.pairs)
    pairs = Pairs([settings.spec], Slowed(work_ns), options.block, options.rest, rng)
    tried = try_out(pairs, settings, most=options.pairs, family=1, tick=lambda *_: None)
    p50 = tried.loads[0].p50
    return p50.word, p50.effect, tried.pairs


def round_trip_ns(rng: random.Random) -> float:
    """The present round trip, over a few blocks."""
    blocks = [run(Spec(cpus=(0, 1)), 0.3, rng.getrandbits(31)) for _ in range(5)]
    return statistics.median(block.p50_ns or 0.0 for block in blocks)


def main() -> None:
    options = _options()
    rng = random.Random(options.seed)
    found: dict[str, list[tuple[str, float, int]]] = {"does nothing": [], "slows by 10 %": []}
    for number in range(options.trials):
        for name, results in found.items():
            work = int(SLOWER * round_trip_ns(rng)) if name != "does nothing" else 0
            results.append(trial(work, options, rng))
            if not options.json:
                word, effect, pairs = results[-1]
                print(f"{number + 1:3} {name:<14} {word:<14} {effect:+.1%} after {pairs} pairs", flush=True)
    summary = {name: dict(Counter(word for word, _, _ in results)) for name, results in found.items()}
    false = sum(word in ("better", "worse") for word, _, _ in found["does nothing"])
    power = sum(word == "worse" for word, _, _ in found["slows by 10 %"])
    facts = {"trials": options.trials, "verdicts": summary, "false": false, "found": power}
    print(json.dumps(facts) if options.json else f"\n{options.trials} of each: {false} false verdicts, {power} found")
    if options.check and (false * 20 >= 5 * options.trials or power * 20 < 14 * options.trials):
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--block", type=float, default=0.3)
    parser.add_argument("--rest", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
