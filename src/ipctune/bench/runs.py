"""Runs saved in the state folder, so that a later one can be read beside an earlier one.

One JSON file a run below `runs/`; the newest `KEPT` stay. The folder's rules (0700, ours, no symlinks,
written aside and synced) are those of `host.state`.
"""

import dataclasses
import json
import re
from pathlib import Path

from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.bench.matrix import BenchResult
from ipctune.errors import NotPossible
from ipctune.host.state import open_state, state_path

__all__ = ["KEPT", "load", "names", "save", "state_dir", "to_json"]

KEPT = 20
_NAME = re.compile(r"runs/bench-[0-9TZ-]+\.json")


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


def load(name: str) -> BenchResult:
    """A saved run; raises NotPossible where it is not there, not ours, or not whole."""
    state = open_state(create=False)
    text = state.read(name) if state is not None and _NAME.fullmatch(name) else None
    if text is None:
        raise NotPossible(f"no saved run {name}")
    try:
        return decode(BenchResult, loads(text))
    except MalformedError as error:
        raise NotPossible(f"{name} is not whole: {error}", hint="remove it") from None
