"""The bystander: a stated amount of work at even intervals, in a process that the OOM killer takes first."""

import subprocess
import time
from pathlib import Path

import pytest
from tests.native.core import Core


def test_it_does_each_piece_and_says_how_long_it_took(core: Core) -> None:
    found = core.call("bystander", "--seconds", "0.2", "--period", "5000000", "--work", "1000000").data
    assert found["latency"]["count"] == 40
    assert found["rounds"] > 1000
    assert found["latency"]["kind"] == "due-to-done"
    assert found["latency"]["min"] <= found["latency"]["mean"] <= found["latency"]["max"]


def test_the_rounds_of_an_earlier_one_are_the_same_work(core: Core) -> None:
    first = core.call("bystander", "--seconds", "0.02").data
    again = core.call("bystander", "--seconds", "0.02", "--rounds", str(first["rounds"])).data
    assert again["rounds"] == first["rounds"]


@pytest.mark.parametrize(
    "words",
    [
        ("--work", "5000000", "--period", "5000000"),
        ("--seconds", "-1"),
        ("--seconds", "nan"),
        ("--period", "1"),
        ("--rounds",),
        ("--mechanism", "pipe"),
    ],
)
def test_words_that_make_no_sense_are_wrong_use(core: Core, words: tuple[str, ...]) -> None:
    answer = core.call("bystander", *words)
    assert answer.status == 2
    assert answer.error["message"]


@pytest.mark.parametrize("words", [("bystander",), ("run", "--mechanism", "pipe")])
def test_what_measures_is_the_first_that_the_oom_killer_takes(core: Core, words: tuple[str, ...]) -> None:
    with subprocess.Popen([core.path, *words, "--seconds", "5"], stdout=subprocess.DEVNULL) as process:
        path, end = Path(f"/proc/{process.pid}/oom_score_adj"), time.monotonic() + 5
        try:
            while path.read_text().strip() != "1000" and time.monotonic() < end:
                time.sleep(0.01)
            assert path.read_text().strip() == "1000"
        finally:
            process.terminate()
