"""The rest between arms: the first block after a lease reads like the baseline, not like what the lease left awake."""

import statistics
import time

from tests.host.lever import needs_haltpoll

from ipctune.bench.core import run
from ipctune.bench.spec import Spec
from ipctune.host import read_host
from ipctune.knobs.registry import KNOBS
from ipctune.tune.loop import placed
from ipctune.tune.model import Settings

REST = Settings().rest
ROUNDS = 5


def p50(seed: int) -> float:
    """A short block of the built-in pair, after the rest that trials take."""
    time.sleep(REST)
    return run(placed(read_host(quick=True), Spec()), 0.1, seed).p50_ns or 0.0


@needs_haltpoll
def test_the_first_block_after_a_lease_reads_like_the_baseline() -> None:
    lease = KNOBS["cpu-dma-latency"].lease
    assert lease is not None
    before, held, after = [], [], []
    for seed in range(ROUNDS):
        before.append(p50(seed))
        with lease({"latency_us": "0"}):
            held.append(p50(seed))
        after.append(p50(seed))
    baseline, awake, first = (statistics.median(arm) for arm in (before, held, after))
    assert first - awake > (baseline - awake) / 2  # whatever the machine's own noise: far from what the lease gives
