"""Each line that `explain` knows, provoked for real in namespaces of its own, and given to it as it was logged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.host.private import Provoked, provoked

from ipctune.errors import Exit
from ipctune.services.explain import Meaning, explain
from ipctune.services.look import look

TOP = Path(__file__).parents[2]


def meaning(one: Provoked) -> Meaning:
    told = explain(one.line, look(quick=True)).meaning
    assert told is not None, one.line
    return told


@pytest.mark.parametrize(
    ("name", "entry", "limit"),
    [
        ("semget_enospc", "semget-enospc", "kernel.sem.semmni"),
        ("semlock_enospc", "semlock-enospc", "/dev/shm"),
        ("shm_resize", "shm-resize", "/dev/shm"),
        ("bus_error", "bus-error", "/dev/shm"),
        ("address_not_available", "address-not-available", "ephemeral ports"),
        ("shmget_einval", "shmget-einval", "kernel.shmmax"),
        ("shmget_enospc", "shmget-enospc", "kernel.shmmni"),
        ("msgsnd_eagain", "msgsnd-eagain", "kernel.msgmnb"),
    ],
)
def test_a_limit_of_a_namespace_is_found_in_it(name: str, entry: str, limit: str) -> None:
    with provoked(name) as one:
        told = meaning(one)
    assert told.id == entry
    near = [use for use in told.near if use.limit == limit and f"(pid {one.pid})" in use.place]
    assert near, [(use.limit, use.what, use.place, use.use, use.value) for use in told.near]
    assert told.fix
    assert told.wrong


def test_a_full_unix_listener_is_seen_full_and_its_holder_named(tmp_path: Path) -> None:
    path = str(tmp_path / "fpm.sock")
    with provoked("unix_connect_eagain", path, namespaces="n") as one:
        told = meaning(one)
    assert told.id == "unix-connect-eagain"
    (use,) = told.near
    assert (use.what, use.value, use.peak) == (path, 16, 17)
    assert use.full_looks == use.looks > 1
    assert use.holder is not None
    assert use.holder.pid == one.pid


def test_only_the_socket_that_the_line_names_is_shown(tmp_path: Path) -> None:
    with provoked("unix_connect_eagain", str(tmp_path / "a.sock"), namespaces="n") as one:
        report = look(quick=True)
        other = explain(one.line.replace("a.sock", "b.sock"), report).meaning
    assert other is not None
    assert other.causes[0].uses == ()


def test_bytes_of_posix_queues_are_counted_as_the_kernel_does() -> None:
    with provoked("mq_open_emfile") as one:
        told = meaning(one)
    assert told.id == "mq-open-emfile"
    (use,) = (use for use in told.near if use.limit == "RLIMIT_MSGQUEUE")
    assert use.what == "uid 54321, 9 queues"
    assert use.value == 819200
    assert use.use is not None
    assert use.use <= use.value < use.use * 10 // 9
    assert use.holder is not None
    assert use.holder.pid == one.pid


def test_pages_in_pipes_are_measured_and_small_ones_counted() -> None:
    with provoked("setpipe_eperm") as one:
        told = meaning(one)
    assert told.id == "setpipe-eperm"
    (use,) = (use for use in told.near if use.limit == "fs.pipe-user-pages-soft")
    soft = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    assert use.what.startswith("uid 54321, 1031 pipes, ")
    assert use.what.endswith("of them of 8 KiB")
    assert not use.estimated
    assert use.value == soft
    assert use.use is not None
    assert soft <= use.use < soft + 32
    assert use.holder is not None
    assert use.holder.pid == one.pid


def test_the_backlog_that_redis_warns_of() -> None:
    with provoked("redis_backlog", namespaces="n") as one:
        told = meaning(one)
        report = look(quick=True)
    assert told.id == "redis-backlog"
    place = f"(pid {one.pid})"
    somaxconn = [use.value for use in report.uses if use.limit == "net.core.somaxconn" and place in use.place]
    queue = [use.value for use in report.uses if use.limit == "listen queue" and place in use.place]
    assert (somaxconn, queue) == ([128], [128])


def test_an_array_that_logind_removed() -> None:
    with provoked("ipc_removed", namespaces="i") as one:
        told = meaning(one)
    assert told.id == "ipc-removed"
    assert "RemoveIPC" in told.fix


def test_a_receiver_of_datagrams_without_room(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with provoked("datagrams", path, namespaces="n") as one:
        told = meaning(one)
    assert told.id == "devlog-full"
    (use,) = told.near
    assert (use.what, use.full_looks) == (path, use.looks)
    assert use.holder is not None
    assert use.holder.pid == one.pid


def _run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(TOP / "src")}
    return subprocess.run(
        [sys.executable, "-m", "ipctune", "explain", *arguments],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command(tmp_path: Path) -> None:
    with provoked("unix_connect_eagain", str(tmp_path / "x.sock"), namespaces="n") as one:
        shown = _run(one.line)
        piped = _run("--json", "-", stdin=f"before\n{one.line}\nafter")
    assert shown.returncode == piped.returncode == Exit.DONE
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "17 of 16 connections" in shown.stdout
    assert json.loads(piped.stdout)["meaning"]["near"][0]["holder"]["pid"] == one.pid


def test_an_unknown_line_names_the_nearest_and_is_no_error() -> None:
    done = _run("semget went for a walk")
    assert done.returncode == Exit.DONE
    assert "not known" in done.stdout
    assert "semget" in done.stdout


@pytest.mark.parametrize("words", [[], [" "]])
def test_no_line_is_wrong_use(words: list[str]) -> None:
    assert _run(*words).returncode == Exit.WRONG_USE
