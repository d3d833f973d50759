"""The least that a message can take: a pure function of what was measured, the same for every mechanism."""

from pathlib import Path

import pytest
from tests.unit.bench.fake import block, write_core

from ipctune.bench.floor import floor_ns, with_floor
from ipctune.bench.limits import Limits
from ipctune.bench.row import row_of
from ipctune.bench.session import Request, prepare
from ipctune.bench.spec import Spec

KNOWN = Limits(
    clock_ns=20.0,
    syscall_ns=100.0,
    cache_line_ns=120.0,
    context_switch_ns=1500.0,
    memcpy=((64, 4.0), (4096, 64.0)),
    cpus=(0, 1),
)
ONE_VCPU = Limits(syscall_ns=100.0, context_switch_ns=1500.0, memcpy=((64, 4.0),), cpus=(0, 0))
SAME, ACROSS, FREE = (0, 0), (0, 1), (-1, -1)


@pytest.mark.parametrize(
    ("spec", "kind", "least"),
    [
        (Spec(cpus=ACROSS), "round-trip", 120 + 2 * 4),
        (Spec(cpus=(1, 0)), "round-trip", 120 + 2 * 4),
        (Spec(cpus=ACROSS, size=4096), "round-trip", 120 + 2 * 64),
        (Spec(cpus=SAME), "round-trip", 2 * (1500 + 100) + 2 * 4),
        (Spec(cpus=FREE), "round-trip", 120 + 2 * 4),
        (Spec(cpus=ACROSS, work_ns=10_000), "round-trip", 10_000 + 120 + 2 * 4),
        (Spec(cpus=ACROSS, rate=1000.0), "round-trip", 120 + 2 * 4),
        (Spec(cpus=ACROSS, pattern="stream", rate=1000.0), "one-way", 60 + 4),
        (Spec(cpus=SAME, pattern="stream"), None, 4),
        (Spec(cpus=ACROSS, pattern="stream", size=4096), None, 64),
    ],
)
def test_the_least(spec: Spec, kind: str | None, least: float) -> None:
    assert floor_ns(spec, kind, KNOWN) == pytest.approx(least)


@pytest.mark.parametrize("mechanism", ["pipe", "tcp", "memfd-futex"])
def test_it_does_not_know_the_mechanism(mechanism: str) -> None:
    assert floor_ns(Spec(mechanism, cpus=ACROSS), "round-trip", KNOWN) == 128


def test_where_it_is_unknown() -> None:
    assert floor_ns(Spec(cpus=(2, 3)), "round-trip", KNOWN) is None  # other vCPUs than were measured
    assert floor_ns(Spec(cpus=ACROSS), "round-trip", ONE_VCPU) is None
    assert floor_ns(Spec(cpus=SAME), "round-trip", Limits(memcpy=((64, 4.0),))) is None
    assert floor_ns(Spec(cpus=FREE), "round-trip", Limits(memcpy=((64, 4.0),))) is None
    assert floor_ns(Spec(cpus=ACROSS), "round-trip", Limits(cache_line_ns=120.0)) is None
    assert floor_ns(Spec(pattern="stream"), None, Limits()) is None


def test_on_one_vcpu_a_pair_that_is_not_pinned_switches() -> None:
    assert floor_ns(Spec(cpus=FREE), "round-trip", ONE_VCPU) == 2 * (1500 + 100) + 2 * 4


@pytest.mark.parametrize(("size", "ns"), [(1, 4.0), (64, 4.0), (512, 16.0), (4096, 64.0), (8192, 128.0)])
def test_copies_between_and_beyond_what_was_measured(size: int, ns: float) -> None:
    assert KNOWN.copy_ns(size) == pytest.approx(ns)


@pytest.mark.parametrize("damaged", [((0, 1.0),), ((64, 0.0),), ((-1, -1.0),), ()])
def test_copies_that_make_no_sense_are_unknown(damaged: tuple[tuple[int, float], ...]) -> None:
    assert Limits(memcpy=damaged).copy_ns(64) is None


def test_a_row_says_how_many_times_the_least_it_is() -> None:
    row = with_floor(row_of(Spec(cpus=ACROSS), [block(Spec(cpus=ACROSS))]), KNOWN)
    assert row.p50_ns is not None
    assert row.floor_ns == 128
    assert row.times_floor == row.p50_ns.median / 128
    spec = Spec(cpus=ACROSS, pattern="stream")
    stream = with_floor(row_of(spec, [block(spec)]), KNOWN)
    assert stream.times_floor == pytest.approx(1e9 / stream.messages_per_second.median / 4)


@pytest.mark.parametrize("unknown", [None, Limits(), Limits(unknown="it hung")])
def test_a_row_without_limits_says_nothing(unknown: Limits | None) -> None:
    row = with_floor(row_of(Spec(), [block()]), unknown)
    assert (row.floor_ns, row.times_floor) == (None, None)


def test_a_run_holds_limits_and_multiples(tmp_path: Path) -> None:
    core = write_core(tmp_path)
    result = prepare(Request(("pipe",), seconds=0.1, placements=("same",), sizes=(100,)), core=core).run(core=core)
    assert result.limits is not None
    assert result.limits.copy_ns(100) == 100.0
    assert all(row.times_floor for row in result.rows)


def test_limits_that_fail_cost_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CORE_LIMITS", "no process more")
    core = write_core(tmp_path)
    result = prepare(Request(("pipe",), seconds=0.1, placements=("same",)), core=core).run(core=core)
    assert result.limits is not None
    assert "no process more" in result.limits.unknown
    assert result.rows
    assert not any(row.times_floor for row in result.rows)
