"""A small real matrix that is killed, stopped, kept to one vCPU or run as nobody: whole in the end, nothing left."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.host.journaled import SOURCE, environment, until
from tests.leftovers import snapshot

from ipctune.bench.decode import decode, loads
from ipctune.bench.matrix import BenchResult
from ipctune.host.core import find_core

CPUS = sorted(os.sched_getaffinity(0))
WORDS = (
    *("--mechanism", "pipe", "--mechanism", "sysv-msg", "--mechanism", "posix-mq"),
    *("--size", "64,4K,64K", "--placement", "same", "--pattern", "ping-pong", "--json"),
)
CELLS = 9
KILLS = 6


MARK = "IPCTUNE_TEST_RESUME"


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No IPC object more than before, and no process that a run of ours has started."""
    before = objects()
    yield
    assert until(lambda: not ours())
    assert until(lambda: objects() <= before)


def objects() -> set[str]:
    """A booted machine of tests beside these has groups and units of its own for as long as it lives."""
    found = {name for name, value in snapshot().items() if value == "present"}
    return {name for name in found if not name.startswith(("/sys/fs/cgroup", "/run"))}


def ours() -> list[str]:
    """Processes that have the mark of this test's own in their environment."""
    mark = f"{MARK}={os.getpid()}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes():
                found.append(process.name)
    return found


def bench(
    state: Path, *words: str, more: dict[str, str] | None = None, before: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-P", "-m", "ipctune", "bench", *words],
        env={**environment(state), MARK: str(os.getpid()), **(more or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(run: subprocess.Popen[str]) -> BenchResult:
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    return decode(BenchResult, loads(out))


def whole(result: BenchResult) -> None:
    """Every cell has its blocks or its refusal, once."""
    seen = [row.spec for row in result.rows] + [cell.spec for cell in result.refused]
    assert len(seen) == len(set(seen)) == CELLS
    assert not result.failed
    assert not result.unreached
    assert {row.blocks for row in result.rows} == {5}
    assert {cell.limit for cell in result.refused} == {"kernel.msgmax", "fs.mqueue.msgsize_max"}
    for row in result.rows:
        assert len(row.figures) in (5, 5 - row.spoiled)


def kept(state: Path) -> bool:
    """Whether there is a run to go on with."""
    return any((state / "partial").glob("bench-*.000")) if (state / "partial").is_dir() else False


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_it_goes_on_until_it_is_whole(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    state = tmp_path / "s"
    words: tuple[str, ...] = WORDS
    for _ in range(KILLS):
        run = bench(state, *words)
        with suppress(subprocess.TimeoutExpired):
            run.wait(rng.uniform(0.4, 2.5))
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=30)
        words = ("--resume", "--json") if kept(state) else WORDS
        if run.returncode == 0:
            break
    if words[0] == "--resume" or not list((state / "runs").glob("bench-*")):
        whole(result_of(bench(state, *words)))
    assert not kept(state)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_it_shows_what_there_is_and_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    run = bench(tmp_path / "s", *WORDS)
    end = time.monotonic() + 30
    while not _blocks(tmp_path / "s") and time.monotonic() < end:
        time.sleep(0.05)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    first = decode(BenchResult, loads(out))
    assert first.interrupted
    assert first.blocks >= 1
    word = err.splitlines()[-1]
    assert word.startswith("go on: ipctune bench --resume bench-")
    second = result_of(bench(tmp_path / "s", *word.split()[4:], "--json"))
    whole(second)
    assert second.started == first.started


def _blocks(state: Path) -> int:
    files = list((state / "partial").glob("bench-*")) if (state / "partial").is_dir() else []
    return sum(file.read_bytes().count(b'"block":') for file in files)


@pytest.mark.usefixtures("nothing_left")
def test_on_one_vcpu_there_is_one_placement(tmp_path: Path) -> None:
    one = ("taskset", "-c", str(CPUS[0]))
    words = ("--full", "--mechanism", "pipe", "--time", "4", "--json")
    result = result_of(bench(tmp_path / "s", *words, before=one))
    assert {row.placement for row in result.rows} == {"same"}
    assert result.wake is None
    assert all(row.blocks >= 3 for row in result.rows)
    run = bench(tmp_path / "s", "--full", "--placement", "across", before=one)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "second vCPU" in err


@pytest.mark.usefixtures("nothing_left")
def test_beside_a_hog_blocks_are_marked_and_the_budget_is_kept_to_whole_cells(tmp_path: Path) -> None:
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in CPUS]
    try:
        words = ("--mechanism", "pipe", "--size", "1-16M", "--placement", "same", "--time", "5", "--json")
        result = result_of(bench(tmp_path / "s", *words))
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert all(row.blocks >= 3 for row in result.rows)
    assert len(result.rows) + len(result.unreached) + len(result.failed) == 2 * 25
    assert sum(row.spoiled for row in result.rows)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_without_root_it_is_the_same() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)  # not pytest's, which only root may enter; and a clone below /root can't be entered either
        shutil.copytree(SOURCE / "ipctune", home / "src" / "ipctune", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_core(), home / "ipctune-core")
        os.chown(home, 65534, 65534)
        more = {"PYTHONPATH": str(home / "src"), "IPCTUNE_CORE": str(home / "ipctune-core"), "HOME": folder}
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        whole(result_of(bench(home / "state", *WORDS, more=more, before=nobody)))


def _core() -> Path:
    found = find_core()
    assert found is not None
    return found


@pytest.mark.usefixtures("nothing_left")
def test_two_at_once_measure_each_other_and_so_the_second_is_refused(tmp_path: Path) -> None:
    first = bench(tmp_path / "s", *WORDS)
    end = time.monotonic() + 30
    while not kept(tmp_path / "s") and time.monotonic() < end:
        time.sleep(0.05)
    _, err = (second := bench(tmp_path / "s", "--resume")).communicate(timeout=30)
    assert second.returncode == 3
    assert "another ipctune is at work" in err
    whole(result_of(first))


def test_what_is_saved_is_what_compare_reads(tmp_path: Path) -> None:
    state = tmp_path / "s"
    for _ in range(2):
        whole(result_of(bench(state, *WORDS)))
        time.sleep(1)  # runs are named by their second
    words = [sys.executable, "-P", "-m", "ipctune", "compare", "--json"]
    said = subprocess.run(words, env=environment(state), capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    assert len(found["cells"]) == CELLS - 3 + 1
    assert found["differences"] == []
