"""`services` on this machine: what talks, who holds what, and that looking changes nothing."""

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.host.private import provoked
from tests.leftovers import differences, snapshot

from ipctune.errors import Exit
from ipctune.host.calls import CLONE_NEWNET
from ipctune.services.diag import LISTEN, open_diag, tcp_sockets, unix_sockets
from ipctune.services.look import look
from ipctune.services.spaces import NET, visit

TOP = Path(__file__).parents[2]


def ipctune(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(TOP / "src")}
    return subprocess.run(
        [sys.executable, "-m", "ipctune", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_the_backlog_of_a_listener_stays_what_listen_was_given(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0), backlog=7) as tcp:
        unix.bind(path)
        unix.listen(5)
        with open_diag() as asked:
            found = {one.inode: one for one in unix_sockets(asked, 1 << LISTEN)}
            others = {one.inode: one for one in tcp_sockets(asked, 1 << LISTEN)}
        one, other = found[os.fstat(unix.fileno()).st_ino], others[os.fstat(tcp.fileno()).st_ino]
    assert (one.name, one.queue, one.most) == (path, 0, 5)
    assert (other.local, other.queue, other.most) == (("127.0.0.1", other.local[1]), 0, 7)


def test_both_ends_of_pipes_unix_and_tcp_are_named(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with provoked("talk", path, namespaces="n") as one:
        report = look(quick=True)
    child = int(one.line)
    pairs = {(pair.kind, pair.a.pid, pair.b.pid, pair.what) for pair in report.pairs}
    assert ("pipe", child, one.pid, "") in pairs
    assert ("unix", child, one.pid, path) in pairs
    assert ("tcp", child, one.pid, "127.0.0.1:7000") in pairs


def test_objects_of_another_namespace_come_with_the_command_that_removes_them_there() -> None:
    with provoked("semget_enospc", namespaces="i") as one:
        arrays = [found for found in look().objects if found.kind == "sem-array" and f"(pid {one.pid})" in found.place]
    assert len(arrays) == 3
    assert all(found.remove == f"nsenter -t {one.pid} -i ipcrm -s {found.id[4:]}" for found in arrays)
    assert not any(found.orphan for found in arrays)  # they are root's, and root runs


def test_looking_leaves_everything_as_it_is() -> None:
    before = snapshot()
    with provoked("shm_resize") as one:
        ours = {name: Path(f"/proc/self/ns/{name}").readlink() for name in ("net", "ipc", "mnt")}
        report = look(quick=True)
        assert ours == {name: Path(f"/proc/self/ns/{name}").readlink() for name in ours}
        assert any(f"(pid {one.pid})" in use.place for use in report.uses)
    assert differences(before, snapshot()) == []


def children() -> set[str]:
    """Our children, ended ones as well that nobody has reaped."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            found |= {status.parent.name} if f"\nPPid:\t{os.getpid()}\n" in status.read_text() else set()
    return found


def test_a_visit_that_fails_says_why_and_leaves_no_child() -> None:
    before = children()
    with pytest.raises(OSError, match="No such"):
        visit(os.getpid(), NET, lambda: ({"x": Path("/nonexistent").read_text()}, None))
    with pytest.raises(OSError, match="ValueError"):
        visit(os.getpid(), NET, lambda: ({"x": int("x")}, None))
    with pytest.raises(OSError, match="Invalid argument"):
        visit(os.getpid(), ("ipc", CLONE_NEWNET), lambda: ({}, None))
    assert children() == before  # other tests may have left one of their own


def test_the_screen_and_the_model() -> None:
    shown, told = ipctune("services"), ipctune("services", "--json")
    assert shown.returncode == told.returncode == Exit.DONE
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert {"uses", "objects", "pairs", "findings"} <= set(json.loads(told.stdout))
    assert max(map(len, ipctune("services", "--all").stdout.splitlines())) <= 80


def test_without_privileges_it_says_what_it_cannot_see() -> None:
    code = (
        "import os\nfrom ipctune.services.look import look\nfrom ipctune.report.services import render\n"
        "look(quick=True)\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\nprint(render(look(quick=True)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(TOP / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "could not see: open files of" in done.stdout


def test_inspect_shows_the_most_urgent_of_a_service(tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    with provoked("unix_connect_eagain", path, namespaces="n"):
        told = json.loads(ipctune("inspect", "--json").stdout)
    (found,) = (one for one in told["findings"] if path in one["what"])
    assert "seen full in" in found["what"]
    assert "backlog" in found["todo"]
    assert found["severity"] == "fix"


def test_the_page_for_a_ticket_names_no_host_and_no_address() -> None:
    page = ipctune("inspect", "--markdown")
    assert page.returncode == Exit.DONE, page.stderr
    assert "| steal " in page.stdout
    assert "What we ask for" in page.stdout
    addresses = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    words = {word.partition("/")[0] for word in addresses.split() if word.count(".") == 3 or "::" in word}
    assert [word for word in words if word in page.stdout] == []
    name = socket.gethostname()
    assert len(name) < 3 or name not in page.stdout


@pytest.mark.parametrize("arguments", [["sem:1"], ["--clean-orphans", "--json"], ["--clean-orphans", "sem:999999"]])
def test_wrong_use(arguments: list[str]) -> None:
    assert ipctune("services", *arguments).returncode == Exit.WRONG_USE
