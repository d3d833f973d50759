"""The real servers, each for a moment: figures that make sense, and nothing left, whichever way it ends."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipctune.errors import IpctuneError, NotPossible, WorkloadFailed
from ipctune.workload.model import Workload
from ipctune.workload.registry import NAMES, make
from ipctune.workload.tcp_or_unix import compare
from ipctune.workload.toml import parse
from ipctune.workload.toml_workload import TomlWorkload

_SOURCE = Path(__file__).resolve().parents[2] / "src"
_BLOCK = 0.2


_SERVERS = {"redis": "redis-benchmark", "postgres": "pgbench", "nginx": "wrk", "perf-pipe": "perf"} | {
    "hackbench": "hackbench"
}


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    """CI installs them, and there a missing one fails."""
    missing = [name for name in _SERVERS.values() if shutil.which(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"not installed: {', '.join(missing)}")


def _folders() -> set[str]:
    return set(glob.glob(f"{tempfile.gettempdir()}/ipctune-*"))  # noqa: PTH207


def _processes() -> set[int]:
    """Those that work below one of our folders, and those between."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = "/ipctune-" in str((entry / "cwd").readlink())
            if inside or b"ipctune.workload.keeper" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def _segments() -> set[str]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines} | set(os.listdir("/dev/shm"))  # noqa: PTH208


def _state() -> tuple[set[str], set[int], set[str]]:
    return _folders(), _processes(), _segments()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = _state()
    yield
    assert _settled(before) == before


def _settled(before: object, patience: float = 15.0) -> object:
    """The state once it is `before`, or after `patience` seconds."""
    end = time.monotonic() + patience
    while (now := _state()) != before and time.monotonic() < end:
        time.sleep(0.02)
    return now


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
    before = _state()
    process = _script(name, _THEN[then])
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        assert _state() != before
        process.kill()
    assert _settled(before) == before


@pytest.mark.parametrize("name", NAMES)
def test_after_kill_9_of_all_of_ours_the_next_start_removes_the_rest(name: str) -> None:
    before = _state()
    process = _script(name, _THEN["idle"])
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        keepers = [pid for pid in _processes() - before[1] if b"workload.keeper" in _command(pid)]
        assert len(keepers) == 1
        os.kill(keepers[0], signal.SIGKILL)
        process.kill()
    assert _settled((before[0], before[1], before[2]), 3.0) != before  # the folder
    with make("hackbench"):
        pass
    assert _settled(before) == before


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a choice")
@pytest.mark.parametrize("name", ["redis", "postgres", "nginx"])
def test_servers_do_not_run_as_root(name: str) -> None:
    before = _processes()
    with make(name):
        ours = [pid for pid in _processes() - before if b"workload.keeper" not in _command(pid)]
        assert ours
        assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in ours)


def test_a_rate_that_does_not_go_through_is_told() -> None:
    with make("redis", 500_000.0) as workload, pytest.raises(WorkloadFailed, match="do not go through"):
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


_MINE = '''
name = "mine"
[server]
start = """exec {python} -c '
import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind("{folder}/s")
s.listen()
time.sleep(999)'"""
ready.socket = "{folder}/s"
[client]
command = """CLIENT"""
metric = "json:value"
lower_is_better = true
connections = [1, 3]
'''


def _mine(client: str, text: str = _MINE) -> Workload:
    return TomlWorkload(parse(text.replace("{python}", sys.executable).replace("CLIENT", client)))


def test_a_users_own() -> None:
    with _mine("""test -S {folder}/s && echo '{"value": {connections}.5, "at": "{folder}"}'""") as mine:
        assert [mine.sample(load, _BLOCK, 1).figure for load in mine.loads] == [1.5, 3.5]


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ("echo no {connections}", "printed no JSON"),
        ("exit 3 # {connections}", "failed"),
        ("""echo '{"value": NaN}' {connections}""", "nan"),
        ("kill -9 $$; echo {connections}", "failed"),
    ],
)
def test_a_client_that_fails_is_told(client: str, says: str) -> None:
    with _mine(client) as mine, pytest.raises(WorkloadFailed, match=says):
        mine.sample(mine.loads[0], _BLOCK, 1)


def test_a_client_that_hangs_is_ended() -> None:
    mine = _mine("sleep 999 & sleep 999 # {connections}", _MINE + "timeout = 0.3\n")
    with mine, pytest.raises(WorkloadFailed, match=r"did not end within 0\.3 s"):
        mine.sample(mine.loads[0], _BLOCK, 1)


@pytest.mark.parametrize(("start", "says"), [("exit 1", "has ended"), ("sleep 999", "is not ready")])
def test_a_server_that_is_never_ready_is_told(start: str, says: str) -> None:
    text = f'name = "m"\n[server]\nstart = {json.dumps(start)}\nready = {{socket = "{{folder}}/s", timeout = 0.3}}\n'
    with pytest.raises(IpctuneError, match=says), _mine("x", text + '[client]\ncommand = "true"\nmetric = "json:a"\n'):
        pass


@pytest.mark.parametrize("service", ["redis", "postgres", "nginx"])
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
