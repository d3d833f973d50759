"""`bench` and `compare` as commands, with a core that is a script: exit codes, words to go on, every form of output."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from tests.unit.bench.fake import write_core
from tests.unit.cli.conftest import Answer, Cli

from ipctune.bench import core, runs
from ipctune.errors import Exit

SMALL = ("--placement", "same", "--pattern", "ping-pong", "--time", "1")
_mechanisms = core.mechanisms
_run = core.run


@pytest.fixture
def bench(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line with the script for a core, blocks as short as can be."""
    monkeypatch.setenv("IPCTUNE_CORE", str(write_core(tmp_path)))
    monkeypatch.setattr("ipctune.bench.core.mechanisms", _mechanisms)
    monkeypatch.setattr("ipctune.bench.core.run", _run)
    return cli


def interrupted(bench: Cli, monkeypatch: pytest.MonkeyPatch, *words: str, after: int = 4) -> Answer:
    """The same with Ctrl-C in the midst of it."""
    left = iter(range(after))

    def run(*given: object, **named: object) -> object:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return _run(*given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr("ipctune.bench.core.run", run)
        return bench("bench", *words)


_WRONG = [
    ("bench", "--size", "0"),
    ("bench", "--size", "17M"),
    ("bench", "--size", "4K-1K"),
    ("bench", "--pattern", "pigeon"),
    ("bench", "--cpus", "zigzag"),
    ("bench", "--cpus", "0,99"),
    ("bench", "--placement", "0,0,0"),
    ("bench", "--mechanism", "nonsense"),
    ("bench", "--option", "capacity"),
    ("bench", "--option", "capacity="),
    ("bench", "--option", "capacity=much"),
    ("bench", "--option", "nonsense=1"),
    ("bench", "--quick", "--full"),
    ("bench", "--json", "--csv"),
    ("bench", "--resume", "--size", "64"),
    ("bench", "--resume", "--full"),
    ("bench", "--time", "0"),
    ("compare", "a", "b", "c"),
    ("compare", "--json", "--markdown"),
]


@pytest.mark.parametrize("words", _WRONG, ids=" ".join)
def test_wrong_use_is_2_and_measures_nothing(bench: Cli, words: tuple[str, ...]) -> None:
    answer = bench(*words)
    assert answer.code == Exit.WRONG_USE
    assert answer.out == ""
    assert answer.err.strip()
    assert "Traceback" not in answer.err
    assert runs.names() == []


def test_a_whole_run_leaves_nothing_to_go_on_with(bench: Cli) -> None:
    answer = bench("bench", *SMALL[:-1], "4", "--size", "64,4K", "--option", "capacity=1M")
    assert answer.code == Exit.DONE, answer.err
    assert "pipe capacity=1M" in answer.out
    assert "4K" in answer.out
    assert "--resume" not in answer.out
    assert bench("bench", "--resume").code == Exit.NOT_POSSIBLE


def test_every_form_is_on_standard_output_alone(bench: Cli) -> None:
    assert json.loads(bench("bench", *SMALL, "--json").out)["machine"]["ipctune"]
    lines = list(csv.DictReader(io.StringIO(bench("bench", *SMALL, "--csv").out)))
    assert {line["mechanism"] for line in lines} == {"pipe", "unix-stream"}
    answer = bench("bench", *SMALL, "--markdown")
    assert answer.out.startswith("# How processes talk here")
    assert answer.err.startswith("saved: ")


def test_ctrl_c_says_the_word_to_go_on_and_the_word_goes_on(bench: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = interrupted(bench, monkeypatch, *SMALL, "--size", "1,64,4K", "--seed", "5")
    assert stopped.code == Exit.INTERRUPTED
    assert "ended by Ctrl-C after 4 of" in stopped.out
    word = stopped.out.splitlines()[-1]
    assert word.startswith("go on: ipctune bench --resume bench-")
    whole = bench(*word.split()[3:], "--time", "6", "--json")
    assert whole.code == Exit.DONE, whole.err
    result = json.loads(whole.out)
    assert not result["interrupted"]
    assert len(result["rows"]) == 6
    assert min(row["blocks"] for row in result["rows"]) >= 3
    assert len(runs.names()) == 1
    assert bench("bench", "--resume").code == Exit.NOT_POSSIBLE


def test_ctrl_c_before_anything_leaves_nothing(bench: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = interrupted(bench, monkeypatch, *SMALL, after=0)
    assert (stopped.code, stopped.out) == (Exit.INTERRUPTED, "")
    assert bench("bench", "--resume").code == Exit.NOT_POSSIBLE
    assert runs.names() == []


def test_cells_that_time_did_not_reach_are_named_and_can_be_reached(bench: Cli) -> None:
    first = bench("bench", *SMALL, "--size", "1-16M")
    assert first.code == Exit.DONE, first.err
    assert "not reached: " in first.out
    assert "reach the rest: ipctune bench --resume bench-" in first.out
    again = bench("bench", "--resume")
    assert again.code == Exit.NOT_POSSIBLE
    assert "is used up" in again.err
    more = bench("bench", "--resume", "--time", "1", "--json")
    assert more.code == Exit.DONE, more.err
    before = int(first.out.split("not reached: ")[1].split()[0])
    assert len(json.loads(more.out)["unreached"]) < before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda begun: begun["here"].__setitem__("boot", "another"), "booted again"),
        (lambda begun: begun["here"].__setitem__("core", "another"), "another measuring core"),
        (lambda begun: begun["here"]["machine"].__setitem__("kernel", "9.9"), "kernel: 9.9 -> "),
        (lambda begun: begun["here"].__setitem__("cpus", [77]), "other vCPUs: 77 -> "),
    ],
)
def test_another_boot_machine_or_version_is_refused(
    bench: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: object, said: str
) -> None:
    interrupted(bench, monkeypatch, *SMALL, "--size", "1,64")
    (file,) = (tmp_path / "state" / "partial").iterdir()
    head, rest = file.read_text().split("\n", 1)
    begun = json.loads(head)
    assert callable(change)
    change(begun)
    file.write_text(json.dumps(begun) + "\n" + rest)
    answer = bench("bench", "--resume")
    assert answer.code == Exit.NOT_POSSIBLE
    assert said in answer.err
    assert "never mixed" in answer.err


def test_compare_of_two_runs_in_every_form(bench: Cli) -> None:
    from time import sleep

    for _ in range(2):
        assert bench("bench", *SMALL[:-1], "3", "--size", "64,4K").code == Exit.DONE
        sleep(1)  # runs are named by their second
    plain = bench("compare")
    assert plain.code == Exit.DONE, plain.err
    assert "the machines are the same" in plain.out
    assert json.loads(bench("compare", "previous", "latest", "--json").out)["family"] == 5
    assert len(bench("compare", "--csv").out.splitlines()) == 5
    assert bench("compare", "--markdown").out.startswith("# Two runs")
    assert bench("compare", "--check").code == Exit.DONE


def test_check_is_1_when_something_got_worse_and_0_when_it_got_better(bench: Cli, tmp_path: Path) -> None:
    from tests.unit.bench.test_bench_compare import CLOCK, run_of, steady

    fast, slow = tmp_path / "fast.json", tmp_path / "slow.json"
    fast.write_text(runs.to_json(run_of([steady(spec, 5000.0) for spec in CLOCK[:2]])))
    slow.write_text(runs.to_json(run_of([steady(CLOCK[0], 7000.0), steady(CLOCK[1], 5000.0)])))
    assert bench("compare", str(fast), str(slow), "--check").code == Exit.CHECK_FAILED
    assert bench("compare", str(fast), str(slow)).code == Exit.DONE
    assert bench("compare", str(slow), str(fast), "--check").code == Exit.DONE
    assert bench("compare", str(fast), str(fast), "--check").code == Exit.DONE


@pytest.mark.parametrize("words", [("compare",), ("compare", "nothing.json", "latest"), ("compare", os.devnull)])
def test_runs_that_are_not_there_are_3(bench: Cli, words: tuple[str, ...]) -> None:
    answer = bench(*words)
    assert answer.code == Exit.NOT_POSSIBLE
    assert answer.err.startswith("ipctune: ")


def test_names_are_completed(bench: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipctune.cli.bench import _complete_partials, _complete_patterns
    from ipctune.cli.compare import _complete

    none: object = None
    assert [item.value for item in _complete_patterns(none, none, "s")] == ["stream"]  # type: ignore[arg-type]
    assert _complete_partials(none, none, "") == []  # type: ignore[arg-type]
    interrupted(bench, monkeypatch, *SMALL, "--size", "1,64")
    (found,) = _complete_partials(none, none, "bench")  # type: ignore[arg-type]
    assert [item.value for item in _complete(none, none, "bench")] == [found.value]  # type: ignore[arg-type]
    assert [item.value for item in _complete(none, none, "la")] == ["latest"]  # type: ignore[arg-type]
    assert [item.type for item in _complete(none, none, "/tmp/x")] == ["file"]  # type: ignore[arg-type]
