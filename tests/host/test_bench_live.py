"""`ipctune bench` on this kernel with the real core: shapes and sums, never a time or a speed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.host.journaled import environment

from ipctune.bench import core, curve
from ipctune.bench.decode import decode
from ipctune.bench.limits import limits
from ipctune.bench.matrix import BenchResult
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError
from ipctune.host.core import find_core

CPUS = sorted(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def binary() -> Path:
    found = find_core()
    assert found is not None, "./test builds the core and names it in IPCTUNE_CORE"
    return found


def ipctune(*words: str, state: Path, core: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ipctune", "bench", *words],
        env=environment(state) | {"IPCTUNE_CORE": str(core)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("pattern", ["ping-pong", "stream"])
def test_every_mechanism_gives_a_block(binary: Path, pattern: str) -> None:
    for info in core.mechanisms(core=binary):
        if pattern == "stream" and not info.stream:
            continue  # as fast as it goes it would lose some
        spec = Spec(info.name, pattern, cpus=(CPUS[0], CPUS[0]))
        block = core.run(spec, 0.05, 1, core=binary)
        assert block.messages > 0
        assert block.bytes == block.messages * 64
        assert block.cpu_ns_per_message > 0
        assert block.syscalls_per_message > 0
        assert (block.histogram is None) == (pattern == "stream")


def test_open_loop_has_a_latency_in_both_patterns(binary: Path) -> None:
    for pattern, kind in (("ping-pong", "round-trip"), ("stream", "one-way")):
        block = core.run(Spec(pattern=pattern, rate=2000.0), 0.1, 1, core=binary)
        assert block.latency is not None
        assert block.latency.kind == kind
        assert block.latency.count == block.messages


def test_a_changed_payload_fails(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPCTUNE_TEST_MECHANISMS", "100")
    with pytest.raises(IpctuneError, match="changed") as caught:
        core.run(Spec("test-corrupt"), 0.05, 1, core=binary)
    assert type(caught.value) is IpctuneError


def test_a_message_beyond_the_limit_is_refused_with_its_name(binary: Path) -> None:
    with pytest.raises(core.Refused) as caught:
        core.run(Spec("sysv-msg", size=8193), 0.05, 1, core=binary)
    assert caught.value.limit == "kernel.msgmax"


def test_limits_are_known(binary: Path) -> None:
    found = limits(core=binary)
    assert found.clock_ns
    assert found.syscall_ns


@pytest.mark.skipif(len(CPUS) < 2, reason="the wake-cost curve needs two vCPUs")
def test_the_curve_has_all_its_points(binary: Path) -> None:
    found = curve.measure((CPUS[0], CPUS[1]), 1, seconds=0.05, core=binary)
    assert [point.gap_ns for point in found.points] == list(curve.GAPS_NS)
    assert all(point.p50_ns > 0 and point.count > 0 for point in found.points)
    assert curve.knee(found).kind in ("nobody", "polls", "awake")


def test_json_is_what_was_saved(binary: Path, tmp_path: Path) -> None:
    words = ("--mechanism", "pipe", "--time", "1", "--json", "--seed", "5")
    out, err = (run := ipctune(*words, state=tmp_path / "s", core=binary)).communicate(timeout=60)
    assert run.returncode == 0, err
    result = decode(BenchResult, json.loads(out))
    assert result.seed == 5
    assert {row.spec.pattern for row in result.rows} == {"ping-pong", "stream"}
    (saved,) = (tmp_path / "s" / "runs").iterdir()
    assert json.loads(saved.read_text()) == json.loads(out)


def test_ctrl_c_shows_what_was_measured(binary: Path, tmp_path: Path) -> None:
    own = tmp_path / "ipctune-core"
    own.symlink_to(binary)
    run = ipctune("--mechanism", "pipe", "--time", "60", state=tmp_path / "s", core=own)
    time.sleep(4)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130, err
    assert "ended by Ctrl-C after" in out
    assert "RT p50" in out
    until = time.monotonic() + 2.0  # the kernel ends the sides when their supervisor has ended
    while left := [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(own) in _text(p)]:
        assert time.monotonic() < until, left


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_without_a_core_it_is_not_possible(tmp_path: Path) -> None:
    run = ipctune(state=tmp_path, core=tmp_path / "none")
    _, err = run.communicate(timeout=30)
    assert run.returncode == 3
    assert "./run" in err


@pytest.mark.parametrize("words", [("--cpus", "zigzag"), ("--size", "0"), ("--mechanism", "no")])
def test_wrong_use(binary: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    run = ipctune(*words, state=tmp_path, core=binary)
    run.communicate(timeout=30)
    assert run.returncode == 2
