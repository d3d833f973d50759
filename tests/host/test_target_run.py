"""`ipctune tune --target PID` as a user calls it: limits of its namespaces, what lasts, and whom it can't take."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.target import TOP, Target

from ipctune.errors import Exit, NotPossible
from ipctune.host.core import find_core
from ipctune.knobs.others import inside
from ipctune.knobs.others import started as start_of
from ipctune.knobs.spaces import space_mark
from ipctune.tune.target import find_target

_NOBODY = 65534

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="other namespaces are root's to enter"),
    pytest.mark.usefixtures("as_it_was"),
]


class Ipctune:
    """The command line, with a state folder of this test's own."""

    def __init__(self, state: Path) -> None:
        variables = {"PYTHONPATH": str(TOP / "src"), "IPCTUNE_STATE": str(state), "IPCTUNE_CORE": str(find_core())}
        self._variables = {**os.environ, **variables}

    def __call__(self, *words: str, code: int = Exit.DONE) -> str:
        command = [sys.executable, "-m", "ipctune", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=self._variables, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def ipctune(tmp_path: Path) -> Iterator[Ipctune]:
    made = Ipctune(tmp_path / "state")
    yield made
    made("revert")


def set_there(target: Target, path: str, text: str) -> None:
    start = start_of(target.pid)
    assert start is not None
    kind = "net" if "/net/" in path else "ipc"
    inside(space_mark(target.pid, start, kind), lambda: Path(path).write_text(text))


def test_a_refusal_is_removed_in_its_namespaces_alone(ipctune: Ipctune, target: Target) -> None:
    before, here = target.ask("look"), Path("/proc/sys/kernel/msgmni").read_text()
    refused = ("--refused", "kernel.msgmni=32001", "--refused", "net.core.somaxconn=9000")
    said = ipctune("tune", "--target", str(target.pid), *refused, "--yes")
    assert target.ask("look") == {**before, "msgmni": "32768", "somaxconn": "16384"}
    assert Path("/proc/sys/kernel/msgmni").read_text() == here
    assert 'compose `sysctls: { kernel.msgmni: "32768" }`' in said
    assert "docker run --sysctl net.core.somaxconn=16384" in said
    assert "2 of 2 as we set it" in ipctune("status")
    said = ipctune("commit", "--yes", code=Exit.NOT_POSSIBLE)
    assert "can't be committed: it belongs into the container's own configuration" in said
    assert "undecided" in ipctune("verify", "--time", "5s")
    assert "kernel.msgmni in the ipc namespace" in ipctune("revert")
    assert target.ask("look") == before


def test_what_is_nearly_used_up_is_raised_without_a_word(ipctune: Ipctune, target: Target) -> None:
    set_there(target, "/proc/sys/kernel/msgmni", "1")
    found = ipctune("tune", "--target", str(target.pid), "--yes")
    assert "kernel.msgmni: 1 of 1 queues in use" in found
    assert target.ask("look")["msgmni"] == "2"
    ipctune("revert")
    assert target.ask("look")["msgmni"] == "1"


def test_a_full_queue_of_a_listener_raises_what_bounds_it(ipctune: Ipctune, target: Target) -> None:
    set_there(target, "/proc/sys/net/core/somaxconn", "8")
    target.ask("listen 4096")
    said = ipctune("tune", "--target", str(target.pid), "--yes")
    assert target.ask("look")["somaxconn"] == "16"
    assert "1 listening socket that is there keeps its backlog (the longest 8)" in said
    assert "the program's own setting for listen(): backlog 1024" in said


def test_reach_is_looked_up_on_the_objects(ipctune: Ipctune, target: Target) -> None:
    said = ipctune("tune", "--target", str(target.pid), "--refused", "kernel.msgmnb=30000", "--yes")
    assert "1 queue that is there keeps 8,192 bytes until it is made anew, or msgctl(IPC_SET)" in said


def test_four_values_of_one_file_are_raised_together(ipctune: Ipctune, target: Target) -> None:
    set_there(target, "/proc/sys/kernel/sem", "10 100 10 10")
    words = ("--refused", "kernel.sem.semmni=11", "--refused", "kernel.sem.semmsl=12")
    said = ipctune("tune", "--target", str(target.pid), *words, "--yes")
    assert "10 100 10 10 -> 16 100 10 16" in said
    assert "docker run --sysctl 'kernel.sem=16 100 10 16'" in said


def test_why_a_refusal_is_not_removed(ipctune: Ipctune, target: Target) -> None:
    words = ("--refused", "kernel.msgmni=100", "--refused", "kernel.shmmni=99999")
    said = ipctune("tune", "--target", str(target.pid), *words, "--yes")
    assert "kernel.msgmni is not raised (100 were refused): it is 32000 there: it lets that pass already" in said
    assert "kernel.shmmni is not raised (99,999 were refused)" in said
    words = ("--refused", "kernel.msgmni=32001", "--without", "target-ipc-limits")
    assert "left out by --without" in ipctune("tune", "--target", str(target.pid), *words, "--yes")


def test_nothing_to_change_is_said(ipctune: Ipctune, target: Target) -> None:
    said = ipctune("tune", "--target", str(target.pid), "--yes")
    assert f"Nothing was changed at process {target.pid} (python" in said
    assert "needs --command or --workload, one that has the process work" in said


def test_a_dry_run_changes_nothing(ipctune: Ipctune, target: Target) -> None:
    before = target.ask("look")
    said = ipctune("tune", "--target", str(target.pid), "--refused", "kernel.msgmni=32001", "--dry-run")
    assert f"kernel.msgmni in the ipc namespace of process {target.pid}" in said
    assert target.ask("look") == before


def kernel_threads() -> list[str]:
    """None where we stand in a pid namespace."""
    told = {path.parent.name: path.read_text() for path in sorted(Path("/proc").glob("[0-9]/status"))}
    return [pid for pid, text in told.items() if "VmSize" not in text and "State:\tZ" not in text]


def test_whom_it_can_not_take(ipctune: Ipctune, target: Target) -> None:
    pid = str(target.pid)
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    for words, code, says in (
        (("--target", str(ended.pid)), Exit.NOT_POSSIBLE, "there is no process"),
        *((("--target", one), Exit.NOT_POSSIBLE, "is a thread of the kernel") for one in kernel_threads()[:1]),
        (("--target", "0"), Exit.WRONG_USE, "not in the range"),
        (("--target", "x"), Exit.WRONG_USE, "not a valid integer"),
        (("--target", pid, "--refused", "vm.swappiness=1"), Exit.WRONG_USE, "no limit of a namespace"),
        (("--target", pid, "--commit", "--yes"), Exit.WRONG_USE, "can't be had with --target"),
        (("--refused", "kernel.msgmni=1"), Exit.WRONG_USE, "belongs to --target"),
    ):
        assert says in ipctune("tune", *words, code=code)


def test_ourselves_are_no_target() -> None:
    with pytest.raises(Exception, match="is ipctune itself"):
        find_target(os.getpid())


def test_a_thread_is_no_process(target: Target) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        with pytest.raises(NotPossible, match="is a thread") as error:
            find_target(thread.native_id)
        assert str(os.getpid()) in error.value.hint
    finally:
        stop.set()
        thread.join()


def test_another_users_process_needs_root(target: Target) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        try:
            find_target(target.pid)
        except NotPossible as error:
            os.write(writer, f"{error.what}; {error.hint}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    os.waitpid(pid, 0)
    assert "is another user's" in said
    assert "root may change it" in said
