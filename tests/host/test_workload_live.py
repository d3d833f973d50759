"""The real servers, each for a moment: figures that make sense, and nothing left, whichever way it ends."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.remains import folders, nothing_left, processes, settled, state

from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.workload.model import Workload
from ipctune.workload.registry import NAMES, make
from ipctune.workload.tcp_or_unix import SERVICES, compare

_SOURCE = Path(__file__).resolve().parents[2] / "src"
_BLOCK = 0.2
_CLIENTS = ("redis-benchmark", "pgbench", "wrk", "perf", "hackbench")


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    """CI installs them, and there a missing one fails."""
    missing = [name for name in _CLIENTS if shutil.which(name) is None]
    missing += [] if any(Path("/usr/sbin").glob("php-fpm*")) else ["php-fpm"]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_it_measures_each_of_its_loads(name: str) -> None:
    with make(name) as workload:
        for load in workload.loads:
            found = workload.sample(load, _BLOCK, 1)
            assert found.figure > 100  # ns: no exchange between processes is faster
            assert found.messages > 20
            assert found.seconds > 0
            assert 0 < found.cpu_ns < 1.2 * (os.cpu_count() or 1) * (found.seconds + 1) * 1e9
            if load.rate:
                assert found.buckets is not None
                assert sum(count for _, count in found.buckets) == found.messages


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_after_an_exception(name: str) -> None:
    with pytest.raises(ZeroDivisionError):
        _interrupted(make(name))


def _interrupted(workload: Workload) -> None:
    with workload:
        workload.sample(workload.loads[-1], _BLOCK, 1)
        raise ZeroDivisionError


def _script(name: str, then: str) -> subprocess.Popen[str]:
    code = f"""
import sys
sys.path.insert(0, {str(_SOURCE)!r})
from ipctune.workload.registry import make
with make({name!r}) as workload:
    workload.sample(workload.loads[-1], {_BLOCK}, 1)
    print("ready", flush=True)
    {then}
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


_THEN = {
    "idle": "__import__('time').sleep(999)",
    "busy": "[workload.sample(workload.loads[0], 60.0, 1) for _ in range(9)]",
}


@pytest.mark.parametrize("then", _THEN)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_after_kill_9(name: str, then: str) -> None:
    before = state()
    process = _script(name, _THEN[then])
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        assert state() != before
        process.kill()
    assert settled(before) == before


@pytest.mark.parametrize("name", NAMES)
def test_after_kill_9_of_all_of_ours_the_next_start_removes_the_rest(name: str) -> None:
    before = state()
    process = _script(name, _THEN["idle"])
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        keepers = [pid for pid in processes() - before[1] if b"workload.keeper" in _command(pid)]
        assert len(keepers) == 1
        os.kill(keepers[0], signal.SIGKILL)
        process.kill()
    settled(before[1], 3.0, processes)
    assert folders() != before[0]  # nobody was left to remove it
    with make("hackbench"):
        pass
    assert settled(before) == before


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a choice")
@pytest.mark.parametrize("name", ["redis", "postgres", "nginx"])
def test_servers_do_not_run_as_root(name: str) -> None:
    before = processes()
    with make(name):
        ours = [pid for pid in processes() - before if b"workload.keeper" not in _command(pid)]
        assert ours
        assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in ours)


def test_a_rate_that_does_not_go_through_is_told() -> None:
    with make("redis", 1_000_000.0) as workload, pytest.raises(WorkloadFailed, match="do not go through"):
        workload.sample(workload.loads[0], _BLOCK, 1)


@pytest.mark.parametrize(
    ("name", "missing", "package"),
    [
        ("redis", "redis-server", "redis-server redis-tools"),
        ("nginx", "wrk", "wrk"),
        ("perf-pipe", "perf", "linux-perf"),
    ],
)
def test_what_is_missing_is_named_with_the_line_that_installs_it(
    name: str, missing: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr("shutil.which", lambda cmd, **more: None if cmd == missing else which(cmd, **more))
    with pytest.raises(NotPossible, match=f"{missing} is not installed") as refused, make(name):
        pass
    assert f"apt-get install --no-install-recommends {package}" in refused.value.hint


@pytest.mark.parametrize("service", SERVICES)
def test_tcp_and_unix_are_compared(service: str) -> None:
    found = compare(service, 1, pairs=1, seconds=_BLOCK, connects=50)
    assert [one.load.connections > 1 for one in found.loads] == [False, True]
    for one in found.loads:
        assert min(one.tcp_ns, one.unix_ns) > 100
        assert one.time.low is None  # one pair says nothing
    for pair in found.bursts:
        assert [burst.refused + burst.late for burst in pair] == [0, 0]
        assert all(burst.backlog is not None and burst.backlog >= 50 for burst in pair)


def test_a_busy_server_refuses_what_its_backlog_does_not_hold() -> None:
    found = compare("redis", 1, pairs=1, seconds=_BLOCK, connects=700)
    _, (tcp, unix) = found.bursts
    assert tcp.refused == 0
    assert tcp.late == unix.refused == 700 - (unix.backlog or 0) - 1
