"""A workload of the user's own, from its TOML file: run, tuned by the real command, and told where it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.journaled import environment, reverted
from tests.host.lever import FOUND, KNOB, SETTING, SLOWER_NS
from tests.host.remains import nothing_left

from ipctune.errors import IpctuneError, WorkloadFailed
from ipctune.journal.store import Journal
from ipctune.workload.model import Workload
from ipctune.workload.toml import parse
from ipctune.workload.toml_workload import TomlWorkload

_BLOCK = 0.2


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    with nothing_left():
        yield


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


def test_each_of_its_loads_is_a_run_of_its_client() -> None:
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


# The real command -----------------------------------------------------------------------------------------------

_ECHO = """
import os, socket, sys
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    while True:
        there, _ = listener.accept()
        with there:
            while said := there.recv(64):
                there.sendall(said)
"""
_ASK = """
import os, pathlib, socket, sys, time
slower = int(sys.argv[5]) * (pathlib.Path(sys.argv[3]).read_text().strip() == sys.argv[4])
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
with socket.socket(socket.AF_UNIX) as there:
    there.connect(sys.argv[1])
    took, end = [], time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        start = time.perf_counter_ns()
        there.sendall(b"x" * 64)
        there.recv(64)
        while time.perf_counter_ns() < start + slower:
            pass
        took.append(time.perf_counter_ns() - start)
print(f"{len(took)} round trips, median {sorted(took)[len(took) // 2]} ns")
"""
_FILE = f'''
name = "echo"
[server]
start = "exec {sys.executable} {{here}}/echo.py {{folder}}/s"
ready.socket = "{{folder}}/s"
[client]
command = "{sys.executable} {{here}}/ask.py {{folder}}/s {{seconds}} {SETTING} {FOUND} {3 * SLOWER_NS}"
metric = 'median ([0-9]+) ns'
lower_is_better = true
'''
_SHORT = ("--time", "42s", "--block", "0.05", "--rest", "0.05", "--only", KNOB, "--goal", "latency", "--json")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, SETTING) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the user keeps it: a server, its client, and the file that names both."""
    for name, text in {"echo.py": _ECHO, "ask.py": _ASK, "mine.toml": _FILE}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def tune(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ipctune", "tune", "--workload", "./mine.toml", *words],
        cwd=folder,
        env=environment(folder / "state"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.skipif(not os.access(SETTING, os.W_OK), reason="the setting is not there, or root's alone")
def test_what_helps_is_kept_for_a_server_across_two_vcpus(journal: Journal, folder: Path) -> None:
    done = tune(folder, *_SHORT, "--yes")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (load,) = result["trials"][0]["loads"]
    assert load["metric"] == {"name": "median ([0-9]+) ns", "higher_is_better": False}
    assert load["p50"]["word"] == "better", load
    assert list(result["kept"]) == [KNOB]
    assert SETTING.read_text().strip() != FOUND


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("lower_is_better", "lower_is_beter", "no key 'client.lower_is_beter'"),
        ("median ([0-9]+) ns", "median [0-9]+ ns", "client.metric"),
        ("[server]", "[server", "is no TOML"),
    ],
)
def test_a_file_that_is_wrong_ends_before_anything_is_started(folder: Path, old: str, new: str, says: str) -> None:
    (folder / "mine.toml").write_text(_FILE.replace(old, new))
    done = tune(folder, *_SHORT)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (folder / "state").exists()


def test_a_server_that_ends_at_once_is_told_with_its_own_words(folder: Path) -> None:
    (folder / "echo.py").write_text("raise SystemExit('no port is free')")
    done = tune(folder, *_SHORT)
    assert done.returncode == 3
    assert "echo: the server has ended" in done.stderr
    assert "no port is free" in done.stderr
