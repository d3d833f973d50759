"""Runs of `tune` in the state folder: what `why`, `status` and `verify` look back at."""

import dataclasses
import json
import re
from collections.abc import Callable

from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.errors import NotPossible
from ipctune.host.state import State
from ipctune.tune.model import TuneResult

__all__ = ["load", "names", "newest", "save", "to_json"]

_KEPT = 20
_NAME = re.compile(r"runs/tune-[0-9TZ]+\.json")


def to_json(result: TuneResult) -> str:
    """The result as JSON of the shape in docs/tune.schema.json."""
    return json.dumps(dataclasses.asdict(result), ensure_ascii=False, allow_nan=False)


def save(state: State, result: TuneResult) -> None:
    """Write the run durably; the newest twenty stay."""
    state.write(f"runs/{result.run}.json", to_json(result).encode())
    for old in names(state)[:-_KEPT]:
        state.remove(old)


def names(state: State) -> list[str]:
    """The saved runs, oldest first."""
    return [name for name in state.names("runs") if _NAME.fullmatch(name)]


def load(state: State, name: str) -> TuneResult:
    """One run. Raises NotPossible where it is not there or not whole."""
    data = state.read(name) if _NAME.fullmatch(name) else None
    if data is None:
        raise NotPossible(f"there is no saved run {name}")
    try:
        return decode(TuneResult, loads(data))
    except MalformedError as error:
        raise NotPossible(f"{state.path / name} is not whole: {error}", hint="remove it") from None


def newest(state: State, fits: Callable[[TuneResult], bool] = lambda _: True) -> TuneResult | None:
    """The newest run that fits; one that can't be read is passed over."""
    for name in reversed(names(state)):
        try:
            result = load(state, name)
        except NotPossible:
            continue
        if fits(result):
            return result
    return None
