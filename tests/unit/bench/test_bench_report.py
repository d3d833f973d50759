"""The quick answer fits a screen, says RT, shows CPU; plots have an ASCII fallback."""

import dataclasses

import pytest
from tests.unit.bench.fake import answer, block
from tests.unit.bench.test_bench_curve import GUEST, NOBODY, made

from ipctune.bench.floor import with_floor
from ipctune.bench.limits import Limits
from ipctune.bench.matrix import BenchResult, RefusedCell
from ipctune.bench.predict import wake_cost
from ipctune.bench.row import row_of
from ipctune.bench.spec import Spec
from ipctune.report import plot
from ipctune.report.bench import render
from ipctune.report.style import PLAIN

NAMES = ("pipe", "unix-stream", "unix-abstract", "tcp", "sysv-msg", "posix-mq", "memfd-futex")
PLACES = ((0, 0), (0, 1), (-1, -1))


def result(*, spoil: bool = False) -> BenchResult:
    machine = answer()["machine"] | {"steal_ns": 10**9 if spoil else 0}
    cells = [Spec(name, "ping-pong", 64, cpus) for name in NAMES for cpus in PLACES]
    cells += [Spec(name, "stream", 64, (0, 1)) for name in NAMES]
    limits = Limits(21.0, 118.0, 110.0, 1600.0, ((10_000_000, 18_800.0),), 512.0, 801.0, ((64, 3.0),), (0, 1))
    rows = tuple(with_floor(row_of(spec, [block(spec, machine=machine)]), limits) for spec in cells)
    return BenchResult(
        started="2026-01-02T03:04:05Z",
        seconds=18.0,
        seed=7,
        kernel="6.1.0-17-cloud-amd64",
        vcpus=2,
        rows=rows,
        wake=wake_cost(made(NOBODY)),
        limits=limits,
    )


def test_the_quick_answer_fits_one_screen() -> None:
    lines = render(result(), PLAIN, quick=True).splitlines()
    assert len(lines) <= 22  # the prompt and where it was saved come after
    assert max(map(len, lines)) <= 80


def test_the_full_answer_fits_the_width() -> None:
    text = render(result(), PLAIN)
    assert max(map(len, text.splitlines())) <= 80
    for words in ("RT p50", "CPU", "polled", "calls", "switch", "fault", "unknown", "getppid 118", "×min"):
        assert words in text


@pytest.mark.parametrize("quick", [True, False])
def test_without_unicode_it_is_ascii(quick: bool) -> None:
    text = render(result(), PLAIN, quick=quick, unicode=False)
    assert text.isascii()


def test_what_went_wrong_is_said() -> None:
    cell = RefusedCell(Spec("sysv-msg"), "sysv-msg: EMSGSIZE", "EMSGSIZE", "kernel.msgmax")
    broken = dataclasses.replace(
        result(spoil=True),
        refused=(cell,),
        failed=(dataclasses.replace(cell, what="it hung"),),
        interrupted=True,
        planned_blocks=99,
    )
    text = render(broken, PLAIN, quick=True)
    assert "ended by Ctrl-C after 28 of 99 blocks" in text
    assert "28 of 28 blocks spoiled" in text
    assert "refused: sysv-msg" in text
    assert "FAILED: it hung" in text


def test_one_way_and_round_trips_never_share_a_table() -> None:
    one_way = answer()["latency"] | {"kind": "one-way"}
    spec = Spec(pattern="stream", rate=1000.0)
    rows = (
        row_of(Spec(rate=1000.0), [block(Spec(rate=1000.0))]),
        row_of(spec, [block(spec, latency=one_way)]),
    )
    text = render(dataclasses.replace(result(), rows=rows), PLAIN)
    assert "RT p50" in text
    assert "1-way p50" in text
    assert "Poisson, 1,000/s" in text


def test_nothing_measured_is_still_an_answer() -> None:
    empty = dataclasses.replace(result(), rows=(), wake=None, limits=None)
    assert render(empty, PLAIN)


def test_who_polls_is_said() -> None:
    polled = dataclasses.replace(result(), wake=wake_cost(made(GUEST, 1.9)))
    assert "the guest polls before halting" in render(polled, PLAIN)
    assert "nobody polls" in render(result(), PLAIN)


@pytest.mark.parametrize(
    ("ns", "text"),
    [(850, "850 ns"), (999.9, "1.00 µs"), (4210, "4.21 µs"), (45_300, "45.3 µs"), (1.2e6, "1.20 ms")],
)
def test_times(ns: float, text: str) -> None:
    assert plot.time_text(ns) == text


def test_histogram_lines() -> None:
    lines = plot.histogram([(1000, 10), (2000, 80), (4000, 10)], width=60, rows=4)
    assert 1 <= len(lines) <= 4
    assert max(map(len, lines)) <= 60
    assert plot.histogram([]) == []
    assert len(plot.histogram([(1000, 5)])) == 1


def test_spark() -> None:
    assert plot.spark([1, 10, 100], unicode=False) == "_+@"
    assert plot.spark([5, 5]) == "▁▁"
