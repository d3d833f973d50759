"""The limits below the figures: two lines whatever the machine, one on the quick screen; multiples fit their column."""

import pytest

from ipctune.bench.limits import Limits
from ipctune.report.bench_limits import limit_lines, multiple

FAST = Limits(
    21.0, 118.0, 110.0, 1600.0, ((1_000_000, 4000.0), (10_000_000, 18_800.0)), 512.0, 801.0, ((65536, 496.0),)
)
SLOW = Limits(1230.0, 1230.0, 1230.0, 12_300.0, ((10_000_000, 1_230_000.0),), 12_300.0, 12_300.0, ((65536, 12_300.0),))
ONE_VCPU = Limits(21.0, 118.0, None, 1600.0, None, 512.0, None, ((64, 3.0),))


@pytest.mark.parametrize("found", [FAST, SLOW, ONE_VCPU])
def test_two_lines_and_what_a_multiple_is(found: Limits) -> None:
    lines = limit_lines(found, quick=False)
    assert len(lines) <= 3
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("×min")


@pytest.mark.parametrize("found", [FAST, SLOW, ONE_VCPU])
def test_one_line_on_the_quick_screen(found: Limits) -> None:
    assert len(limit_lines(found, quick=True)) == 1


def test_every_limit_is_named() -> None:
    text = " ".join(limit_lines(FAST, quick=False))
    for words in ("getppid 118 ns", "clock 21 ns", "cache line RT 110 ns", "switch 1.60 µs", "wake 18.8 µs"):
        assert words in text
    assert "fault 512 ns (memfd 801 ns), memcpy 64K 496 ns" in text


def test_what_is_not_known_is_not_there() -> None:
    text = " ".join(limit_lines(ONE_VCPU, quick=False))
    assert "cache line" not in text
    assert "wake" not in text
    assert "memfd" not in text
    assert limit_lines(None, quick=False) == limit_lines(Limits(), quick=True) == []
    assert limit_lines(Limits(unknown="it hung"), quick=True) == ["limits unknown: it hung"]


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (None, "-"),
        (0.84, "0.8"),
        (1.0, "1.0"),
        (9.96, "10"),
        (412.3, "412"),
        (9999.0, "9999"),
        (12_345.0, "12k"),
        (1e7, ">1M"),
    ],
)
def test_multiples(times: float | None, text: str) -> None:
    assert multiple(times) == text
    assert len(multiple(times)) <= 4


def test_no_multiple_is_wider_than_its_column() -> None:
    assert max(len(multiple(10.0**n)) for n in range(-3, 12)) <= 4
