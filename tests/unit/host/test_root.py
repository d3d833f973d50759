"""One root folder: nothing outside is read, reasons are remembered."""

import errno
import os
from pathlib import Path

import pytest
from tests.trees.make import TREES, write

from ipctune.host import read_host
from ipctune.host.root import DirectorySource, MappingSource, Root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "top"
    (top / "etc").mkdir(parents=True)
    (tmp_path / "secret").write_text("outside")
    (top / "etc" / "name").write_text("inside\n")
    return top


@pytest.mark.parametrize("target", ["../../secret", "../../../../../../../../{outside}", "{outside}"])
def test_links_stay_inside(tree: Path, target: str) -> None:
    (tree / "etc" / "link").symlink_to(target.format(outside=tree.parent / "secret"))
    assert Root(DirectorySource(tree), live=False).text("/etc/link") is None


def test_links_inside_are_followed(tree: Path) -> None:
    (tree / "etc" / "absolute").symlink_to("/etc/name")
    (tree / "conf").symlink_to("etc")
    root = Root(DirectorySource(tree), live=False)
    assert root.line("/etc/absolute") == "inside"
    assert root.line("/conf/name") == "inside"
    assert root.names("/conf", "na*") == ("name",)


def test_a_loop_of_links_ends(tree: Path) -> None:
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    root = Root(DirectorySource(tree), live=False)
    assert root.text("/a") is None
    assert root.errors["/a"] == errno.ELOOP


def test_a_fifo_does_not_block(tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    assert Root(DirectorySource(tree), live=False).text("/fifo") is None


def test_dots_stop_at_the_top(tree: Path) -> None:
    root = Root(DirectorySource(tree), live=False)
    assert root.text("/../../secret") is None
    assert root.line("/../etc/./name") == "inside"


def test_reasons_are_remembered(tree: Path) -> None:
    root = Root(DirectorySource(tree, {"/etc/shadow": errno.EACCES}), live=False)
    assert root.text("/etc/shadow") is None
    assert root.text("/etc/none") is None
    assert root.why_not("/etc/shadow") == "permission denied"
    assert root.why_not("/etc/none") == "not there"
    assert root.denied("/etc/shadow")


def test_reading_is_bounded() -> None:
    root = Root(MappingSource({"/large": b"x" * 1000}), live=False)
    assert len(root.text("/large", 10) or "") == 10


def test_a_tree_is_read_below_its_top_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every open of a whole reading of a tree is below the tree, and no command is run."""
    top = write(TREES["docker_in_kvm"](), tmp_path)
    opened: list[str] = []

    def spy(name: str) -> None:
        real = getattr(os, name)

        def noted(path: object, *rest: object) -> object:
            opened.append(str(path))
            return real(path, *rest)

        monkeypatch.setattr(os, name, noted)

    spy("open")
    spy("scandir")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a command was run"))
    read_host(Root(DirectorySource(top), live=False))
    assert opened
    assert all(path.startswith(str(top)) for path in opened)
