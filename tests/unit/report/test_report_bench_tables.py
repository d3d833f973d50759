"""The matrix over sizes, what is not in it, CSV and Markdown, and two runs beside each other."""

import csv
import dataclasses
import io

import pytest
from tests.unit.bench.fake import block
from tests.unit.bench.test_bench_compare import CLOCK, run_of, steady
from tests.unit.bench.test_bench_report import result

from ipctune.bench.compare import compare
from ipctune.bench.matrix import BenchResult, RefusedCell
from ipctune.bench.row import row_of
from ipctune.bench.spec import Spec
from ipctune.report.bench import render
from ipctune.report.bench_table import render_csv, render_markdown
from ipctune.report.compare import render_compare, render_compare_csv, render_compare_markdown
from ipctune.report.style import PLAIN, Style

SIZES = (1, 64, 4096, 1 << 16, 1 << 20, 16 << 20)


def matrix() -> BenchResult:
    cells = [
        Spec(name, pattern, size, cpus)
        for name in ("pipe", "unix-stream")
        for pattern in ("ping-pong", "stream")
        for size in SIZES
        for cpus in ((0, 0), (0, 1))
    ]
    cells.append(Spec("pipe", capacity=1 << 20, cpus=(0, 0)))
    refused = [
        RefusedCell(Spec("sysv-msg", "ping-pong", size, cpus), "msgsnd: EINVAL", "EINVAL", "kernel.msgmax")
        for size in SIZES[3:]
        for cpus in ((0, 0), (0, 1))
    ]
    unreached = tuple(Spec(name, "stream", 1000, cpus) for name in ("pipe", "tcp") for cpus in ((0, 0), (0, 1)))
    rows = tuple(row_of(spec, [block(spec)]) for spec in cells)
    return dataclasses.replace(
        result(), rows=rows, refused=tuple(refused), unreached=(*unreached, Spec("pipe", "stream", 7, (0, 1)))
    )


def test_a_matrix_is_tables_over_sizes_within_the_width() -> None:
    text = render(matrix(), PLAIN)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "ping-pong, one vCPU: RT p50 µs / CPU µs a message" in lines
    assert "stream, two vCPUs: k msg/s / CPU µs a message" in lines
    assert any(line.startswith("pipe capacity=1M ") for line in lines)
    assert render(matrix(), PLAIN, unicode=False).isascii()


def test_what_has_no_figure_is_named_with_its_number_and_its_limit() -> None:
    text = " ".join(render(matrix(), PLAIN).split())
    assert "refused: sysv-msg 64 KiB, 1 MiB, 16 MiB, 6 cells: EINVAL (kernel.msgmax)" in text
    assert "not reached: 5 of 60 cells" in text
    assert "stream 1000 B: pipe, tcp" in text
    assert "stream 7 B: pipe (across)" in text
    assert "49 cells have fewer than 3 blocks" in text


def test_all_that_is_not_reached_of_a_size_is_one_word() -> None:
    cells = tuple(Spec(f"m{at}", "stream", 7, cpus) for at in range(5) for cpus in ((0, 0), (0, 1)))
    text = render(dataclasses.replace(matrix(), unreached=cells), PLAIN)
    assert "stream 7 B: all 10 cells" in text
    assert "stream 7 B: m0, m1, m2, m3, m4 (same)" in render(
        dataclasses.replace(matrix(), unreached=cells[:-1], failed=(RefusedCell(cells[-1], "it hung", failed=True),)),
        PLAIN,
    )


def test_many_failures_do_not_fill_the_screen() -> None:
    failed = tuple(RefusedCell(Spec(size=size), f"it hung at {size}", failed=True) for size in range(1, 41))
    text = render(dataclasses.replace(result(), failed=failed), PLAIN)
    assert text.count("FAILED") == 11
    assert "30 more cells" in text


def test_csv_has_a_line_a_cell_measured_or_not() -> None:
    lines = list(csv.DictReader(io.StringIO(render_csv(matrix()))))
    assert len(lines) == 60
    first = lines[0]
    assert (first["status"], first["mechanism"], first["size"], first["cpus"]) == ("measured", "pipe", "1", "0 0")
    assert float(first["p50_ns.median"]) == 5000
    assert not {"histogram", "figures"} & first.keys()
    assert {line["status"] for line in lines} == {"measured", "refused", "not reached"}
    assert [line["why"] for line in lines if line["status"] == "refused"] == ["msgsnd: EINVAL"] * 6
    (wide,) = [line for line in lines if line["capacity"] == str(1 << 20)]
    assert wide["capacity_in_effect"] == ""


def test_markdown_names_no_address() -> None:
    secret = dataclasses.replace(matrix(), machine={"kernel": "6.1", "boot: ip": "10.1.2.3"})
    text = render_markdown(secret)
    assert "10.1.2.3" not in text
    assert "| pipe | ping-pong | 64 | same |" in text
    assert "| refused | sysv-msg ping-pong 64K same | msgsnd: EINVAL |" in text
    assert all(line.count("|") == 14 for line in text.splitlines() if line.startswith("| pipe"))


def runs() -> tuple[BenchResult, BenchResult]:
    old = run_of([steady(spec, 5000.0) for spec in CLOCK], machine={"kernel": "6.1"})
    new = run_of([steady(CLOCK[0], 6000.0), *(steady(spec, 5000.0) for spec in CLOCK[1:])], machine={"kernel": "6.2|x"})
    return old, new


def test_two_runs_worse_first_with_differences_on_top() -> None:
    found = compare(*runs(), ("before", "after"))
    lines = render_compare(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("A  before: 3 cells, 36 blocks")
    assert "   kernel: 6.1 -> 6.2|x" in lines[:5]
    assert lines.index("pipe ping-pong 64 same") < lines.index("tcp ping-pong 64 same")
    assert "cells: 1 worse, 2 no difference" in lines
    assert "at different times are not interleaved" in " ".join(lines)
    assert "\x1b[31mworse" in render_compare(found, Style(True))
    assert render_compare(found, unicode=False).isascii()


def test_a_long_comparison_shows_what_changed_and_counts_the_rest() -> None:
    cells = [Spec(f"m{at}", cpus=(0, 0)) for at in range(60)]
    old = run_of([steady(cell, 5000.0, 20) for cell in cells])
    new = run_of([steady(cell, 9000.0 if at == 7 else 5000.0, 20) for at, cell in enumerate(cells)])
    found = compare(old, new)
    text = render_compare(found)
    assert "m7 ping-pong" in text
    assert "m8 ping-pong" not in text
    assert "59 cells without a change are not shown: --all" in text
    assert "m8 ping-pong" in render_compare(found, everything=True)


def test_comparisons_as_markdown_and_csv() -> None:
    found = compare(*runs())
    text = render_compare_markdown(found)
    assert "| kernel | 6.1 | 6.2\\|x |" in text
    assert "| pipe ping-pong 64 same | RT p50, µs |" in text
    lines = list(csv.DictReader(io.StringIO(render_compare_csv(found))))
    assert [line["word"] for line in lines] == ["worse", "no difference", "no difference"]
    assert float(lines[0]["ratio"]) == pytest.approx(1.2, rel=0.01)


def test_runs_with_nothing_in_common_are_an_answer() -> None:
    old, _ = runs()
    other = run_of([steady(Spec("tcp", size=4096, cpus=(0, 0)), 5000.0)])
    text = render_compare(compare(old, other))
    assert "no cell is in both runs" in text
    assert "only in A: 3 cells: pipe ping-pong 64; tcp ping-pong 64; pipe stream 64" in text
