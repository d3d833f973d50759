"""Runs saved in the state folder, so that a later one can be read beside an earlier one.

One JSON file a run below `runs/`; the newest `KEPT` stay. The folder's rules (0700, ours, no symlinks,
written aside and synced) are those of `host.state`.
"""

import dataclasses
import json
import os
import re
import stat
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.bench.matrix import BenchResult
from ipctune.errors import NotPossible, WrongUse
from ipctune.host.state import open_state, state_path
from ipctune.host.text import printable

__all__ = ["KEPT", "find", "load", "names", "read", "save", "short_names", "state_dir", "to_json"]

KEPT = 20
_NAME = re.compile(r"runs/bench-[0-9TZ-]+\.json")
_SHORT = re.compile(r"(?:runs/)?(bench-[0-9TZ-]+)(?:\.json)?")
_LARGEST = 64 << 20
_WORDS = {"latest": 1, "previous": 2}


def state_dir() -> Path:
    """The state folder, whether it is there or not."""
    return state_path()


def to_json(result: BenchResult) -> str:
    """The result as JSON of the shape in docs/bench.schema.json."""
    return json.dumps(dataclasses.asdict(result), allow_nan=False, ensure_ascii=False)


def save(result: BenchResult) -> Path:
    """Save a run durably, drop the oldest beyond `KEPT`, and say where it lies.

    Raises NotPossible where the folder can't be written or trusted.
    """
    state = open_state()
    if state is None:
        raise NotPossible("the state folder is not there")
    name = f"runs/bench-{result.started.replace(':', '')}.json"
    state.write(name, to_json(result).encode())
    for old in [one for one in state.names("runs") if _NAME.fullmatch(one)][:-KEPT]:
        state.remove(old)
    return state.path / name


def names() -> list[str]:
    """The saved runs' names, the oldest first."""
    state = open_state(create=False)
    return [] if state is None else [n for n in state.names("runs") if _NAME.fullmatch(n)]


def short_names() -> list[str]:
    """What a user may type: `latest`, `previous`, then the runs, the newest first."""
    return [*_WORDS, *(name.removeprefix("runs/").removesuffix(".json") for name in reversed(names()))]


def load(name: str) -> BenchResult:
    """A saved run; raises NotPossible where it is not there, not ours, or not whole."""
    state = open_state(create=False)
    text = state.read(name) if state is not None and _NAME.fullmatch(name) else None
    if text is None:
        raise NotPossible(f"no saved run {name}")
    try:
        return parse(text)
    except MalformedError as error:
        raise NotPossible(f"{name} is not whole: {error}", hint="remove it") from None


def find(text: str) -> tuple[str, BenchResult]:
    """A run as a user names it: `latest`, `previous`, the name that `bench` printed, or a file. With its name.

    Raises NotPossible where there is none, or it is no run.
    """
    if text in _WORDS:
        return _newest(_WORDS[text], text)
    named = _SHORT.fullmatch(text)
    if named and not Path(text).is_file():
        return named[1], load(f"runs/{named[1]}.json")
    return printable(Path(text).name.removesuffix(".json")), read(Path(text))


def _newest(wanted: int, word: str) -> tuple[str, BenchResult]:
    """Runs that hold the wake-cost curve alone are passed over."""
    seen = 0
    for name in reversed(names()):
        run = load(name)
        seen += bool(run.rows)
        if seen == wanted:
            return name.removeprefix("runs/").removesuffix(".json"), run
    what = "no saved run" if not seen else "there is one saved run only"
    raise NotPossible(f"{what}: no {word}", hint="ipctune bench saves one")


def read(path: Path) -> BenchResult:
    """A run from any file, such as another machine's; raises NotPossible where it can't be read or is no run."""
    shown = printable(str(path))
    try:
        text = _text(path)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise NotPossible(f"{shown} can't be read: {said}") from None
    try:
        return parse(text)
    except MalformedError as error:
        hint = "ipctune bench --json > FILE makes one"
        raise NotPossible(f"{shown} is no run of ipctune bench: {error}", hint=hint) from None


def _text(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no plain file")
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("it is too large for a run")
    return data


def parse(text: bytes | str) -> BenchResult:
    """A run from its JSON: nothing in it can steer a terminal, its figures can be compared. Raises MalformedError."""
    try:
        run = decode(BenchResult, _harmless(loads(text)))
    except WrongUse as error:  # a pattern or size that there is not
        raise MalformedError(error.what) from None
    except RecursionError:
        raise MalformedError("it is nested too deep") from None
    for place, value in _positive(run):
        if not 0 < value < inf:
            raise MalformedError(f"{place} is {value:g}")
    return run


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_harmless(one) for one in value]
    if isinstance(value, dict):
        return {printable(str(key)): _harmless(one) for key, one in value.items()}
    return value


def _positive(run: BenchResult) -> Iterator[tuple[str, float]]:
    """Figures whose logarithms are compared."""
    for at, row in enumerate(run.rows):
        middle = row.messages_per_second if row.p50_ns is None else row.p50_ns
        yield f"rows[{at}]: its median", middle.median
        for _, figure in row.figures:
            yield f"rows[{at}]: a figure", figure
        if (row.p50_ns is None) != (row.kind is None):
            raise MalformedError(f"rows[{at}]: kind and p50_ns don't fit together")
