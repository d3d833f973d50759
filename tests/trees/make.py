"""Machines to read in tests, as files: made by hand from documentation unless README.md says otherwise.

`python tests/trees/make.py FOLDER` writes each below a folder of its own, for `ipctune inspect --root`.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[2] / "src")]

from tests.trees import containers, kvm, machines
from tests.trees.parts import Files, idle, process

from ipctune.host.root import MappingSource, Root

__all__ = ["MADE", "TREES", "Files", "idle", "process", "root_of", "write"]

MADE = "/MADE-BY-HAND"
"""The label of a tree that no machine was: a file at its top."""

TREES: dict[str, Callable[[], Files]] = {one.__name__: one for one in (*kvm.TREES, *machines.TREES, *containers.TREES)}


def root_of(files: Mapping[str, str], links: Mapping[str, str] | None = None, **unreadable: int) -> Root:
    """The machine in memory."""
    source = MappingSource({path: text.encode() for path, text in files.items()}, links, unreadable)
    return Root(source, live=False)


def write(files: Mapping[str, str], top: Path) -> Path:
    """The machine as a folder."""
    for path, text in files.items():
        target = top / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return top


def main(folder: str) -> None:
    """Write every machine, labelled."""
    for name, tree in TREES.items():
        about = (tree.__doc__ or "").strip()
        write(tree() | {MADE: f"{about}\nMade by hand from documentation: no machine looked so.\n"}, Path(folder, name))


if __name__ == "__main__":
    main(sys.argv[1])
