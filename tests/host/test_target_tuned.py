"""A service whose pipe is too small: found by the A/B on a command that has it work, and what happens when it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.host.target import TOP

from ipctune.errors import Exit
from ipctune.host.core import find_core
from ipctune.host.state import open_state
from ipctune.journal.store import Journal

SMALL = 4096
SERVICE = """
import fcntl, os, socket, sys, threading
reader, writer = os.pipe()
fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(8)
print(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ), flush=True)
def write(left):
    while left > 0:
        left -= os.write(writer, b"x" * min(left, 65536))
while True:
    client, _ = listener.accept()
    asked = left = int(client.recv(64))
    thread = threading.Thread(target=write, args=(asked,))
    thread.start()
    while left:
        left -= len(os.read(reader, 65536))
    thread.join()
    client.send(str(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)).encode())
    client.close()
"""
CLIENT = """
import socket, sys, time
start = time.monotonic()
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.send(sys.argv[2].encode())
size = client.recv(64)
assert size
print("MB/s", int(sys.argv[2]) / 1e6 / (time.monotonic() - start), "capacity", size.decode())
"""
METRIC = ("--metric", "MB/s ([0-9.]+)")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="another process's pipes are root's to change"),
    pytest.mark.usefixtures("as_it_was"),
]


@contextmanager
def a_service(address: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", SERVICE, str(address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == f"{SMALL}\n"
        try:
            yield service
        finally:
            service.kill()


def started(state: Path, address: Path, service: "subprocess.Popen[str]", *words: str) -> "subprocess.Popen[str]":
    variables = {"PYTHONPATH": str(TOP / "src"), "IPCTUNE_STATE": str(state), "IPCTUNE_CORE": str(find_core())}
    line = f"{sys.executable} -c '{CLIENT}' {address} 4000000"
    tune = ("tune", "--target", str(service.pid), "--yes", "--only", "target-pipes", "--goal", "throughput")
    how = ("--time", "45s", "--rest", "0.05", "--command", line, *METRIC)
    command = [sys.executable, "-m", "ipctune", *(words or (*tune, *how))]
    out = subprocess.PIPE
    return subprocess.Popen(command, stdout=out, stderr=out, text=True, env={**os.environ, **variables})


def capacity(address: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(address), "1"], capture_output=True, text=True, check=True, timeout=30
    )
    return int(done.stdout.split()[-1])


def test_a_pipe_that_is_too_small_is_found_proved_kept_and_restored(tmp_path: Path) -> None:
    state, address = tmp_path / "state", tmp_path / "address"
    with a_service(address) as service:
        out, err = started(state, address, service).communicate(timeout=120)
        assert "ACTIVE UNTIL" in out, out + err
        assert "with fcntl(F_SETPIPE_SZ)" in " ".join(out.split())
        assert capacity(address) == 1 << 20
        out, err = started(state, address, service, "revert").communicate(timeout=60)
        assert "restored: capacity of pipe:" in out, out + err
        assert capacity(address) == SMALL


def test_a_service_that_ends_in_the_middle_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    state, address = tmp_path / "state", tmp_path / "address"
    with a_service(address) as service:
        run = started(state, address, service)
        found = open_state(state)
        assert found is not None
        end = time.monotonic() + 60
        while not Journal(found).entries() and time.monotonic() < end and run.poll() is None:
            time.sleep(0.02)
        os.kill(service.pid, signal.SIGKILL)
        out, err = run.communicate(timeout=120)
        assert run.returncode == Exit.NOT_POSSIBLE, out + err
        assert "the command" in err
        assert Journal(found).entries() == []
        assert Journal(found).active() is None
