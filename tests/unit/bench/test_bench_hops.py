"""What a hop costs: on which vCPUs it is measured, and when it stays unknown."""

import pytest
from tests.unit.bench.fake import block

from ipctune.bench.block import Block
from ipctune.bench.hops import BESIDE, LONGEST_GAP_NS, PAIRS, hop_cost, least_busy
from ipctune.bench.spec import Spec
from ipctune.errors import NotPossible

FREE = {0: 0.0, 1: 0.0}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """What the core was asked for."""
    asked: list[Spec] = []

    def run(spec: Spec, _seconds: float, _seed: int, **_: object) -> Block:
        asked.append(spec)
        return block(spec)

    monkeypatch.setattr("ipctune.bench.core.run", run)
    return asked


@pytest.mark.parametrize(
    ("busy", "chosen"),
    [
        ({}, (0, 1)),
        ({0: 0.9, 1: 0.1, 2: 0.3, 3: 0.2}, (1, 3)),
        ({0: 0.1, 1: BESIDE, 2: BESIDE, 3: 0.9}, None),
    ],
)
def test_it_is_measured_where_others_use_least(busy: dict[int, float], chosen: tuple[int, int] | None) -> None:
    assert least_busy((0, 1, 2, 3), busy) == chosen


def test_a_hop_is_half_a_round_trip_after_the_sleep_that_is_usual_here(ran: list[Spec]) -> None:
    found = hop_cost((0, 1), FREE, 1_000_000.0, 1)
    assert (found.halted_ns, found.awake_ns, found.unknown) == (7500.0, 2500.0, "")
    assert [(spec.cpus, spec.gap_ns) for spec in ran] == [((0, 0), 0), ((0, 1), 1_000_000)] * PAIRS


@pytest.mark.parametrize(("sleep", "gap"), [(-5.0, 0), (1e12, LONGEST_GAP_NS)])
def test_the_sleep_is_kept_within_bounds(ran: list[Spec], sleep: float, gap: int) -> None:
    hop_cost((0, 1), FREE, sleep, 1)
    assert ran[1].gap_ns == gap


def test_it_stays_unknown_on_one_vcpu_and_beside_others(ran: list[Spec]) -> None:
    assert hop_cost((0,), FREE, 1e6, 1).unknown == "one vCPU alone"
    assert "too busy" in hop_cost((0, 1), {0: 1.0}, 1e6, 1).unknown
    assert ran == []


def test_without_a_core_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> Block:
        raise NotPossible("the measuring core is not here")

    monkeypatch.setattr("ipctune.bench.core.run", run)
    found = hop_cost((0, 1), FREE, 1e6, 1)
    assert (found.halted_ns, found.unknown) == (None, "the measuring core is not here")
