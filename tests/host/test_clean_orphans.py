"""`--clean-orphans` in IPC and mount namespaces of its own: it removes what nobody can use, and only that."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.host.private import provoked

from ipctune.errors import Exit

TOP = Path(__file__).parents[2]
DEAD = 54322
MAKE = f"""
import ctypes, os, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
for name in ("left", "opened", "mapped", "sent"):
    with open("/dev/shm/" + name, "wb") as file:
        file.write(b"x" * 4096)
libc = ctypes.CDLL(None)
roots = libc.semget(0, 1, 0o600)
if os.fork() == 0:
    os.setuid({DEAD})
    os._exit(libc.semget(0, 2, 0o600))
_, status = os.wait()
print(roots, os.waitstatus_to_exitcode(status), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Room:
    """A process that holds the namespaces, an array of root's and one of a dead user's."""

    pid: int
    roots: str
    dead: str

    def command(self, *arguments: str) -> list[str]:
        enter = ["nsenter", "-t", str(self.pid), "-i", "-m"]
        return [*enter, sys.executable, "-m", "ipctune", "services", "--clean-orphans", *arguments]

    def clean(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TOP / "src")},
            check=False,
        )

    def path(self, name: str) -> Path:
        return Path(f"/proc/{self.pid}/root/dev/shm/{name}")

    def arrays(self) -> list[str]:
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-i", "cat", "/proc/sysvipc/sem"],
            capture_output=True,
            text=True,
            check=True,
        )
        return sorted(line.split()[1] for line in done.stdout.splitlines()[1:])


@pytest.fixture
def room() -> Iterator[Room]:
    command = ["unshare", "-i", "-m", sys.executable, "-c", MAKE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        roots, dead = child.stdout.readline().split()
        try:
            yield Room(child.pid, roots, dead)
        finally:
            child.stdin.close()


def test_without_a_terminal_and_ids_it_shows_and_does_nothing(room: Room) -> None:
    done = room.clean()
    assert done.returncode == Exit.DONE
    assert f"ipcrm -s {room.dead}" in done.stdout
    assert "rm -- /dev/shm/left" in done.stdout
    assert "nothing was removed" in done.stdout
    assert room.arrays() == sorted([room.roots, room.dead])
    assert room.path("left").exists()


def test_what_has_an_id_and_no_user_is_removed(room: Room) -> None:
    done = room.clean(f"sem:{room.dead}", "shm:left")
    assert done.returncode == Exit.DONE, done.stdout + done.stderr
    assert room.arrays() == [room.roots]
    assert not room.path("left").exists()
    assert room.path("opened").exists()


def test_an_array_whose_owner_lives_is_refused(room: Room) -> None:
    done = room.clean(f"sem:{room.roots}", f"sem:{room.dead}")
    assert done.returncode == Exit.WRONG_USE
    assert room.arrays() == sorted([room.roots, room.dead])


def test_a_dead_owner_who_is_alive_again_is_refused(room: Room) -> None:
    with subprocess.Popen(["sleep", "60"], user=DEAD) as sleeper:
        done = room.clean(f"sem:{room.dead}")
        sleeper.kill()
    assert done.returncode == Exit.WRONG_USE
    assert room.dead in room.arrays()


@pytest.mark.parametrize("name", ["opened", "mapped", "sent"])
def test_a_file_that_a_process_of_other_namespaces_uses_is_refused(room: Room, name: str) -> None:
    """Open, mapped after it was closed, or on its way between two sockets; by a process in other namespaces."""
    paths = [str(room.path(one)) for one in ("opened", "mapped", "sent")]
    with provoked("hold", *paths, namespaces="imn"):
        done = room.clean(f"shm:{name}")
    assert done.returncode == Exit.WRONG_USE, done.stdout
    assert room.path(name).exists()


@pytest.mark.parametrize(("answer", "left"), [("n", True), ("y", False)])
def test_on_a_terminal_it_asks(room: Room, answer: str, left: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(TOP / "src")}
    with subprocess.Popen(
        room.command("shm:left"), stdin=theirs, stdout=subprocess.PIPE, env=environment, text=True
    ) as child:
        os.write(ours, f"{answer}\n".encode())
        shown, _ = child.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert child.returncode == Exit.DONE
    assert "rm -- /dev/shm/left" in shown
    assert room.path("left").exists() is left


def test_without_root_it_refuses() -> None:
    code = "from ipctune.services.orphans import find_orphans as f\nimport os\nos.setuid(65534)\nf()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(TOP / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "NotPossible" in done.stderr
    assert "not root" in done.stderr


def test_in_a_pid_namespace_of_its_own_it_refuses(room: Room) -> None:
    enter, run = room.command(f"sem:{room.dead}")[:5], room.command(f"sem:{room.dead}")[5:]
    done = subprocess.run(
        [*enter, "unshare", "-p", "-f", "--mount-proc", *run],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TOP / "src")},
        check=False,
    )
    assert done.returncode == Exit.NOT_POSSIBLE
    assert "outside this container" in done.stderr
    assert room.dead in room.arrays()
