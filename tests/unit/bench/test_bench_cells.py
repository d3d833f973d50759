"""Cells come from what the core says; sizes, placements and options as people write them, strange ones too."""

import dataclasses
from pathlib import Path

import pytest
from tests.unit.bench.fake import write_core

from ipctune.bench.cells import (
    FULL_SIZES,
    by_weight,
    chosen,
    option_names,
    patterns_of,
    place,
    specs,
    variant,
    variants,
    with_options,
)
from ipctune.bench.core import MechanismInfo
from ipctune.bench.session import Request, prepare
from ipctune.bench.sizes import named, parse_size, parse_sizes, short
from ipctune.bench.spec import Spec
from ipctune.errors import WrongUse

INFO = MechanismInfo("pipe", "", "pipe(7)", True, None, ("capacity", "unheard-of"))


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("64", (64,)),
        ("64,4K", (64, 4096)),
        ("64-256", (64, 128, 256)),
        ("100-300", (100, 200, 300)),
        ("1-1", (1,)),
        ("4K-16KiB,64,4K", (4096, 8192, 16384, 64)),
        ("16M", (16 << 20,)),
    ],
)
def test_sizes(text: str, sizes: tuple[int, ...]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "17M",
        "16777217",
        "4K-1K",
        "1-",
        "-",
        "64,,64",
        "x",
        "1.5K",
        "64;4K",
        "٣",
        "1G",
        "9" * 12,
        "1-2-3",
    ],
)
def test_what_is_no_size(text: str) -> None:
    assert parse_sizes(text) is None


def test_sizes_in_short_are_read_back() -> None:
    for size in (1, 64, 1000, 1024, 4096, 1536, 1 << 20, 16 << 20):
        assert parse_size(short(size)) == size
    assert (named(64), named(4096), named(16 << 20)) == ("64 B", "4 KiB", "16 MiB")


@pytest.mark.parametrize("asked", ["0", "0,", ",", "0,1,2", "a,b", "0,99", "-2,0", "0-1", "0x0,0", "nowhere", ""])
def test_strange_cpu_lists_are_wrong_use(asked: str) -> None:
    with pytest.raises(WrongUse):
        place([0, 1], [asked])


def test_cpu_lists() -> None:
    assert place([0, 1], ["1,0"]) == {"1,0": (1, 0)}
    assert place([0, 1], ["1,1"]) == {"1,1": (1, 1)}
    assert place([0, 1], ["-1,0"]) == {"-1,0": (-1, 0)}
    assert place([3], []) == {"same": (3, 3)}
    assert place([5, 9], ["across", "same"]) == {"across": (5, 9), "same": (5, 5)}


def test_an_option_is_tried_alone_beside_the_default() -> None:
    assert list(variants(INFO, {}, known=True)) == [{}]
    asked = {"capacity": ("64K", "1M"), "policy": ("batch",)}
    assert list(variants(INFO, asked, known=False)) == [
        {},
        {"capacity": 1 << 16},
        {"capacity": 1 << 20},
        {"policy": "batch"},
    ]
    assert option_names([INFO]) == ("capacity", "policy", "work", "work-driver", "burst", "peers")
    with pytest.raises(WrongUse, match="not a number"):
        list(variants(INFO, {"capacity": ("much",)}, known=False))


def test_values_that_the_core_lists_are_part_of_the_whole_matrix() -> None:
    @dataclasses.dataclass(frozen=True)
    class Told(MechanismInfo):
        policys: tuple[str, ...] = ("other", "batch")

    told = Told("pipe", "", "", True, None, ("policy",))
    assert {"policy": "batch"} in list(variants(told, {}, known=True))
    assert {"policy": "other"} not in list(variants(told, {}, known=True))
    assert list(variants(told, {}, known=False)) == [{}]


def test_an_option_leaves_out_cells_that_it_does_not_go_with() -> None:
    cells = (Spec(), Spec(rate=5.0))
    assert with_options(cells, {"gap_ns": 7}) == (Spec(gap_ns=7),)
    assert with_options(cells, {}) == cells


def test_options_in_short() -> None:
    assert variant(Spec()) == ""
    assert variant(Spec(size=1, cpus=(0, 0), rate=5.0)) == ""
    assert variant(Spec(capacity=1 << 20, policy="batch")) == "capacity=1M policy=batch"
    assert variant(Spec(work_ns=10_000)) == "work_ns=10000"


def test_what_matters_comes_first() -> None:
    cells = [
        Spec(mechanism, pattern, size, capacity=capacity)
        for capacity in (1 << 20, 0)
        for size in (16 << 20, 1, 4096, 64)
        for pattern in ("stream", "ping-pong")
        for mechanism in ("pipe", "tcp")
    ]
    found = by_weight([*cells, *cells])
    assert len(found) == len(cells) == len(set(found))
    assert [(c.mechanism, c.pattern, c.size, c.capacity) for c in found[:2]] == [
        ("pipe", "ping-pong", 64, 0),
        ("tcp", "ping-pong", 64, 0),
    ]
    assert found.index(Spec("tcp", size=4096)) < found.index(Spec("pipe", size=1))
    many = by_weight([Spec(f"m{at}", capacity=capacity) for capacity in (0, 1 << 20) for at in range(30)])
    assert [cell.capacity for cell in many[:28]] == [0] * 28
    assert found[-1].size == 16 << 20
    assert found[-1].capacity
    assert found[-1].pattern == "stream"


def test_the_whole_matrix_has_every_mechanism_pattern_size_and_placement(tmp_path: Path) -> None:
    core = write_core(tmp_path)
    session = prepare(Request(full=True, seconds=None), core=core)
    where = {cell.cpus for cell in session.plan.cells}
    assert len(session.plan.cells) == 2 * 2 * len(FULL_SIZES) * len(where)
    assert {cell.size for cell in session.plan.cells} == set(FULL_SIZES)
    assert session.plan.staged
    assert session.plan.budget_s is None
    assert session.estimate_s > session.plan.estimate_s or session.curve_cpus is None


def test_a_time_makes_it_a_budget(tmp_path: Path) -> None:
    core = write_core(tmp_path)
    plan = prepare(Request(full=True, seconds=300.0), core=core).plan
    assert plan.budget_s is not None
    assert plan.budget_s <= 300.0
    assert not prepare(Request(seconds=60.0), core=core).plan.staged


def test_too_many_cells_and_what_nobody_has_are_wrong_use(tmp_path: Path) -> None:
    core = write_core(tmp_path)
    with pytest.raises(WrongUse, match="at most"):
        prepare(Request(sizes=tuple(range(1, 4002)), placements=("same",)), core=core)
    with pytest.raises(WrongUse, match="no such option: nonsense"):
        prepare(Request(options=(("nonsense", ("1",)),)), core=core)
    with pytest.raises(WrongUse, match="no cell can have policy=nonsense"):
        prepare(Request(options=(("policy", ("nonsense",)),)), core=core)
    with pytest.raises(WrongUse, match="carrier-pigeon"):
        prepare(Request(("carrier-pigeon",), full=True), core=core)


LOSES = MechanismInfo("loses", "", "udp(7)", False, None, (), ("block",), ("ping-pong", "stream"))


@pytest.mark.parametrize(("rate", "patterns"), [(0.0, ("ping-pong",)), (100.0, ("ping-pong", "stream"))])
def test_what_loses_messages_flat_out_streams_at_a_rate(rate: float, patterns: tuple[str, ...]) -> None:
    assert patterns_of(LOSES, rate) == patterns
    assert {cell.pattern for cell in specs((LOSES,), {"free": (-1, -1)}, rate=rate)} == set(patterns)


def test_a_mechanism_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert chosen((INFO, LOSES), ("loses",)) == (LOSES,)
    assert chosen((INFO, LOSES), ()) == (INFO, LOSES)
    with pytest.raises(WrongUse) as refused:
        chosen((INFO, LOSES), ("pipe", "zigzag"))
    assert "pipe, loses" in refused.value.hint
