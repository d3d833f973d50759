"""Recordings: the same machine comes back, and what is private does not leave."""

import errno
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.trees.make import TREES, process, root_of

from ipctune.errors import NotPossible, WrongUse
from ipctune.host import read_host
from ipctune.host.findings import inspect
from ipctune.host.model import Host
from ipctune.host.record import record, recorded_files
from ipctune.host.recorded import open_recorded
from ipctune.host.root import MappingSource, Root

PRIVATE = (
    "hunter2", "web1", "203.0.113.9", "52:54:00:12:34:56", "deadbeef-dead-beef-dead-beefdeadbeef", "fe80::1",
    "deadbeefdeadbeefdeadbeefdeadbeef", "abc123token", "/home/alice/diary",
)  # fmt: skip


def private_machine() -> Root:
    files, links = process(700, "redis", 999, ["pipe:[77]", "/home/alice/diary", "/dev/cpu_dma_latency"])
    files = TREES["debian12_kvm"]() | files
    files["/proc/cmdline"] = (
        "root=UUID=deadbeef-dead-beef-dead-beefdeadbeef ip=203.0.113.9::fe80::1 db_password=hunter2 api=abc123token "
        "hostname=web1 idle=poll ifname=eth0:52:54:00:12:34:56 console=ttyS0 -- --auth hunter2\n"
    ).replace("api=abc123token", "api_token=abc123token")
    files["/proc/1/environ"] = "container=lxc\0PASSWORD=hunter2\0"
    files["/etc/sysctl.d/10-x.conf"] = "# mail bob about hunter2 at 203.0.113.9\nkernel.shmmni = 4096\n"
    files["/proc/self/cgroup"] = "0::/machine/deadbeefdeadbeefdeadbeefdeadbeef\n"
    files["/proc/self/mounts"] += "203.0.113.9:/export /mnt nfs addr=203.0.113.9 0 0\n"
    files["/proc/self/mounts"] += "tmpfs /home/alice/diary tmpfs rw 0 0\n"
    files["/dev/mqueue/hunter2"] = ""
    contents = {path: text.encode() for path, text in files.items()}
    unreadable = {"/proc/sysvipc/sem": errno.EACCES, "/proc/700/fd/1": errno.EACCES}
    return Root(MappingSource(contents, links, unreadable), live=False)


def comparable(host: Host) -> Host:
    """Without what a recording replaces: names and ids."""
    cgroup = replace(host.cgroup, paths={}, limits=())
    return replace(host, hostname=None, boot_id=None, cgroup=cgroup)


@pytest.mark.parametrize("unpacked", [False, True])
def test_the_same_machine_comes_back(tmp_path: Path, unpacked: bool) -> None:
    root = private_machine()
    before = read_host(root)
    path = tmp_path / "machine.tar.gz"
    record(root, path)
    if unpacked:
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / "tree")
        path = tmp_path / "tree"
    after = read_host(open_recorded(path))
    assert comparable(after) == comparable(before)
    assert after.idle.holders == before.idle.holders != ()
    assert after.unseen == before.unseen != ()
    assert not after.idle.holders_complete


@pytest.mark.parametrize("tree", TREES)
def test_every_tree_survives_a_recording(tree: str, tmp_path: Path) -> None:
    root = root_of(TREES[tree]())
    before = inspect(root)
    record(root, tmp_path / "a.tar.gz")
    again = inspect(open_recorded(tmp_path / "a.tar.gz"))
    assert comparable(again.host) == comparable(before.host)
    assert [one.id for one in again.findings] == [one.id for one in before.findings]


def test_nothing_private_leaves() -> None:
    root = private_machine()
    read_host(root)
    files, links = recorded_files(root)
    whole = "\n".join([*files, *links, *links.values(), *(data.decode() for data in files.values())])
    assert [word for word in PRIVATE if word in whole] == []
    assert "idle=poll" in whole


def test_the_model_itself_shows_no_secret_of_the_boot_line() -> None:
    shown = str(read_host(private_machine()).kernel.boot)
    assert not any(word in shown for word in PRIVATE)


def test_modes_and_owners(tmp_path: Path) -> None:
    root = private_machine()
    read_host(root)
    path = tmp_path / "machine.tar.gz"
    path.write_text("older")
    path.chmod(0o644)
    record(root, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        assert {(m.mode & 0o077, m.uid, m.gid, m.uname, m.mtime) for m in archive} == {(0, 0, 0, "", 0)}


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(NotPossible):
        record(private_machine(), tmp_path / "no" / "such" / "folder.tar.gz")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(WrongUse):
        open_recorded(tmp_path / "x.tar.gz")
