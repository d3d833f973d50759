"""`ipctune bench --recommend` on this kernel with the real core: shapes, exit codes, nothing left; never a speed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.host.journaled import environment, reverted, until

from ipctune.bench.core import mechanisms
from ipctune.bench.decode import decode
from ipctune.bench.recommendation import Recommendation
from ipctune.host import read_host
from ipctune.tune.lever import find_lever

PATH = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
_FOUND = find_lever(read_host(quick=True))
_HALTPOLL = _FOUND is not None and _FOUND[0].id == "haltpoll"

pytestmark = pytest.mark.usefixtures("as_it_was")


def started(state: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ipctune", "bench", "--recommend", *words],
        env=environment(state),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(state: Path, *words: str, code: int = 0) -> tuple[str, str]:
    run = started(state, *words)
    out, err = run.communicate(timeout=120)
    assert run.returncode == code, err
    return out, err


def test_an_answer_of_any_machine_has_its_shape(tmp_path: Path) -> None:
    out, _ = answered(tmp_path, "--size", "4K", "--time", "4", "--json", "--seed", "5")
    result = decode(Recommendation, json.loads(out))
    (answer,) = result.answers
    assert answer.table is not None
    assert (result.seed, answer.pattern, answer.size) == (5, "ping-pong", 4096)
    assert answer.table.named in {arm.label for arm in answer.table.arms}
    names = {info.name for info in mechanisms()}
    assert {one.label.split(" ")[0] for one in answer.looked} <= names
    absent = {one.label.split(" ")[0] for one in answer.absent}
    assert names == absent | {one.label.split(" ")[0] for one in answer.looked}
    for arm in answer.table.arms:
        assert arm.price_ns_per_message > 0
        assert arm.blocks > 0
    assert result.lever is not None
    assert result.lever.table is None


@pytest.mark.parametrize("form", ["--markdown", "--map"])
def test_other_forms(tmp_path: Path, form: str) -> None:
    words = ("--mechanism", "pipe", "--mechanism", "tcp", "--pattern", "stream", "--size", "1K", "--time", "3")
    out, _ = answered(tmp_path, *words, form)
    assert "pipe" in out or "tcp" in out
    assert max(map(len, out.splitlines())) <= 80 or form == "--markdown"


def test_work_and_a_rate_on_one_vcpu(tmp_path: Path) -> None:
    words = ("--mechanism", "pipe", "--rate", "500", "--work", "20us", "--cpus", "same", "--time", "2", "--json")
    result = decode(Recommendation, json.loads(answered(tmp_path, *words)[0]))
    assert (result.rate, result.work_ns, result.placement) == (500.0, 20_000, "same")


def test_what_no_mechanism_takes_is_not_possible(tmp_path: Path) -> None:
    out, _ = answered(tmp_path, "--mechanism", "sysv-msg", "--size", "1M", "--time", "2", code=3)
    assert "Nothing could be measured" in out
    assert "kernel.msgmax" in out


@pytest.mark.parametrize(
    "words",
    [
        ("--work", "many"),
        ("--mechanism", "no"),
        ("--map", "--with-lever", "--yes"),
        ("--quick",),
        ("--with-lever",),  # nobody is there to be asked
        ("--rate", "0.1", "--time", "2"),
        ("--json", "--markdown"),
    ],
)
def test_wrong_use(tmp_path: Path, words: tuple[str, ...]) -> None:
    answered(tmp_path, *words, code=2)


def test_what_goes_with_it_alone_is_wrong_use(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ipctune", "bench", "--with-lever", "--yes"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--recommend" in done.stderr


def test_ctrl_c_shows_what_there_is(tmp_path: Path) -> None:
    run = started(tmp_path, "--mechanism", "pipe", "--mechanism", "tcp", "--time", "60")
    time.sleep(3)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130, err
    assert "ended by Ctrl-C" in out


@pytest.mark.skipif(_FOUND is not None, reason="there is an idle lever here")
def test_without_a_lever_it_says_what_it_takes(tmp_path: Path) -> None:
    words = ("--mechanism", "pipe", "--mechanism", "tcp", "--time", "2", "--with-lever", "--yes")
    out, _ = answered(tmp_path, *words)
    assert "WITH THE IDLE LEVER ON" in out
    assert "on against off" not in out


@pytest.mark.skipif(_FOUND is None, reason="no idle lever here")
def test_with_the_lever_it_is_measured_and_taken_back(tmp_path: Path) -> None:
    with reverted(tmp_path, *((PATH,) if _HALTPOLL else ())):
        words = ("--mechanism", "pipe", "--mechanism", "tcp", "--time", "6", "--with-lever", "--yes", "--json")
        result = decode(Recommendation, json.loads(answered(tmp_path, *words)[0]))
        assert result.lever is not None
        assert result.lever.table is not None
        assert result.lever.gain is not None


@pytest.mark.skipif(not _HALTPOLL, reason="no haltpoll parameters that could be set here")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_lever_comes_back_after_a_kill(tmp_path: Path, number: int) -> None:
    before = PATH.read_text()
    with reverted(tmp_path, PATH):
        run = started(tmp_path, "--mechanism", "pipe", "--time", "20", "--with-lever", "--yes")
        assert until(lambda: PATH.read_text() != before)
        os.kill(run.pid, number)
        run.communicate(timeout=60)
        assert until(lambda: PATH.read_text() == before)
