"""Rooms import what docs/architecture.md lets them, and looking and undoing need the standard library alone."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_SOURCE = Path(__file__).resolve().parents[2] / "src"
_PACKAGE = _SOURCE / "ipctune"

_MEASURING = {"host", "judge", "knobs", "journal", "bench", "workload"}
# Each room, and the rooms it may import; `errors` is for all but the judge, whose functions are pure.
_MAY_IMPORT = {
    "host": {"errors"},
    "judge": set(),
    "services": {"errors", "host"},
    "knobs": {"errors", "host"},
    "journal": {"errors", "host", "knobs"},
    "bench": {"errors", "host", "judge"},
    "workload": {"errors", "host", "bench", "judge"},
    "tune": {"errors", *_MEASURING, "services", "trace"},
    "trace": {"errors", "host"},
    "report": {"errors", *_MEASURING, "services", "tune", "trace"},
    "cli": {"errors", *_MEASURING, "services", "tune", "trace", "report"},
}
_STANDARD_LIBRARY_ALONE = ("host", "services", "judge", "knobs", "journal", "report")
_FILES = sorted(_PACKAGE.rglob("*.py"))


def _name(file: Path) -> str:
    parts = file.relative_to(_SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(file: Path) -> str:
    parts = file.relative_to(_PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@cache
def _imports(file: Path) -> tuple[str, ...]:
    return tuple(_walk(ast.parse(file.read_text(encoding="utf-8")), _name(file), file))


def _walk(tree: ast.AST, name: str, file: Path) -> Iterator[str]:
    """Every module that is imported, at the top or inside a function, relative ones by their full name."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*above, node.module or ""] if node.level else [node.module or ""])
            yield base.rstrip(".")
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _ours(file: Path) -> set[str]:
    rooms = {found.split(".")[1] for found in _imports(file) if found.startswith("ipctune.")}
    return rooms & {*_MAY_IMPORT, "errors"}


def _foreign(file: Path) -> set[str]:
    tops = {found.split(".")[0] for found in _imports(file)}
    return tops - set(sys.stdlib_module_names) - {"ipctune", ""}


def _reached(starts: list[Path]) -> set[Path]:
    """The files of ours that `starts` import, directly or through others."""
    by_name = {_name(file): file for file in _FILES}
    reached: set[Path] = set()
    waiting = list(starts)
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += [by_name[found] for found in _imports(file) if found in by_name]
    return reached


@pytest.mark.parametrize("file", _FILES, ids=_name)
def test_a_room_imports_only_what_it_may(file: Path) -> None:
    room = _room(file)
    if room:
        assert room in _MAY_IMPORT, f"{room} is no room of docs/architecture.md"
        assert not _ours(file) - _MAY_IMPORT[room] - {room}


def test_nobody_imports_the_command_line() -> None:
    allowed = {_PACKAGE / "__main__.py"}
    others = [file for file in _FILES if _room(file) != "cli" and file not in allowed]
    assert [file for file in others if "cli" in _ours(file)] == []


@pytest.mark.parametrize("room", _STANDARD_LIBRARY_ALONE)
def test_rooms_for_looking_and_undoing_need_the_standard_library_alone(room: str) -> None:
    for file in _FILES:
        if _room(file) == room:
            assert not _foreign(file), file


def test_plain_commands_reach_the_standard_library_alone() -> None:
    plain = sorted((_PACKAGE / "cli").glob("plain*.py"))
    assert plain, "there is no plain command line"
    for file in _reached(plain):
        assert not _foreign(file), file
