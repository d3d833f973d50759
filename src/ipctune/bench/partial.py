"""A run on its way: every block is on the disk as soon as it is measured, so that a killed run can go on.

`partial/NAME.000` and on in the state folder, one JSON object a line: first what the run is, then blocks, refusals and
the curve as they came. A line that a crash tore can only be the last one; it is dropped.
"""

import dataclasses
import json
import re
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ipctune.bench.block import Block
from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.bench.machine import Here
from ipctune.bench.matrix import Measured, Plan, RefusedCell
from ipctune.bench.predict import WakeCost
from ipctune.bench.request import Request
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse
from ipctune.host.state import State

__all__ = ["Begun", "Partial", "begin", "load", "names"]

KEPT = 3
_PART_BYTES = 4 << 20
_NAME = re.compile(r"bench-[0-9TZ-]+")
_FILE = re.compile(r"partial/(bench-[0-9TZ-]+)\.(\d{3,6})")
_CORRUPT = "remove it: ipctune bench starts anew"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run is: asked for, planned, and where."""

    started: str
    request: Request
    plan: Plan
    curve_cpus: tuple[int, int] | None
    here: Here
    schema: int = 1


@dataclass(slots=True)
class Partial:
    """A run that is being kept, or was kept until it ended.

    `dropped`: whether its last line was torn. `lost`: why the disk took no more of it; the run itself goes on.
    """

    state: State
    name: str
    begun: Begun
    measured: Measured
    wake: WakeCost | None = None
    dropped: bool = False
    lost: str = ""
    _part: int = 0
    _bytes: int = 0
    _cells: dict[Spec, int] = field(init=False)

    def __post_init__(self) -> None:
        self._cells = {cell: at for at, cell in enumerate(self.begun.plan.cells)}

    def keep(self, found: Block | RefusedCell, at: float) -> None:
        """Put down a block, a refusal or a failure durably."""
        kind = "block" if isinstance(found, Block) else "refused"
        said = dataclasses.asdict(found)
        cell = self._cells[found.spec]
        del said["spec"]
        self._append({"cell": cell, "at": at, "spent": self.measured.spent_s, kind: said})

    def keep_wake(self, wake: WakeCost | None) -> None:
        """Put down the curve."""
        self.wake = wake
        if wake is not None:
            self._append({"wake": dataclasses.asdict(wake)})

    def _append(self, line: dict[str, Any]) -> None:
        if self.lost:
            return
        data = _line(line)
        if self._bytes + len(data) > _PART_BYTES:
            self._part, self._bytes = self._part + 1, 0
        self._bytes += len(data)
        try:
            self.state.append(_file(self.name, self._part), data)
        except NotPossible as error:
            self.lost = error.what

    def remove(self) -> None:
        """It is over: nothing is left to go on with."""
        for file in _files(self.state, self.name):
            self.state.remove(file)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _file(name: str, part: int) -> str:
    return f"partial/{name}.{part:03}"


def _files(state: State, name: str) -> list[str]:
    """Its files in their order."""
    found = [(match, file) for file in state.names("partial") if (match := _FILE.fullmatch(file)) and match[1] == name]
    return [file for match, file in sorted(found, key=lambda one: int(one[0][2]))]


def names(state: State) -> list[str]:
    """Runs that can go on, the oldest first."""
    found = (_FILE.fullmatch(file) for file in state.names("partial"))
    return sorted({match[1] for match in found if match})


def begin(state: State, begun: Begun) -> Partial:
    """A new run to be kept; of older ones the newest stay. Raises NotPossible."""
    name = f"bench-{begun.started.replace(':', '')}"
    for old in names(state)[: 1 - KEPT]:
        for file in _files(state, old):
            state.remove(file)
    for file in _files(state, name):
        state.remove(file)
    data = _line(dataclasses.asdict(begun))
    state.write(_file(name, 0), data)
    return Partial(state, name, begun, Measured(), _bytes=len(data))


def load(state: State | None, name: str | None) -> Partial:
    """The run of that name, or the newest. Raises NotPossible where there is none, or it is damaged."""
    known = names(state) if state is not None else []
    if state is None or not known or (name is not None and name not in known):
        hint = f"there are {', '.join(known)}" if known else "a run that ends by Ctrl-C or a crash can go on"
        raise NotPossible(f"no run to go on with{f': {name}' if name else ''}", hint=hint)
    name = name or known[-1]
    try:
        return _read(state, name)
    except (MalformedError, WrongUse) as error:
        what = error.what if isinstance(error, IpctuneError) else error
        where = state.path / _file(name, 0)
        raise NotPossible(f"{where} is damaged: {what}", hint=_CORRUPT) from None


def _read(state: State, name: str) -> Partial:
    files = _files(state, name)
    torn = _mend(state, files[-1])
    texts = [state.read(file) or b"" for file in files]
    lines = [line for text in texts for line in text.split(b"\n") if line]
    if not lines or files[0] != _file(name, 0):
        raise MalformedError("its beginning is missing")
    kept = Partial(state, name, decode(Begun, loads(lines[0])), Measured(), dropped=torn)
    if len(set(kept.begun.plan.cells)) != len(kept.begun.plan.cells):
        raise MalformedError("a cell is there twice")
    kept.measured.blocks.update({cell: [] for cell in kept.begun.plan.cells})
    for line in lines[1:]:
        _take(kept, loads(line))
    kept._part, kept._bytes = int(files[-1].rpartition(".")[2]), len(texts[-1])
    return kept


def _mend(state: State, file: str) -> bool:
    """Drop a torn last line; whether there was one."""
    data = state.read(file) or b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        state.write(file, whole)
    return whole != data


@dataclass(frozen=True, slots=True)
class _Kept:
    """A line: a block, a refusal or the curve."""

    cell: int = -1
    at: float = 0.0
    spent: float = 0.0
    wake: WakeCost | None = None


def _take(kept: Partial, said: Any) -> None:
    line = decode(_Kept, said)
    if line.wake is not None:
        kept.wake = line.wake
        return
    cells, into = kept.begun.plan.cells, kept.measured
    if not 0 <= line.cell < len(cells) or not 0 <= line.at < inf:
        raise MalformedError(f"there is no cell {line.cell} at {line.at}")
    spec = dataclasses.asdict(cells[line.cell])
    if "block" in said:
        into.add(decode(Block, {**_object(said["block"]), "spec": spec}), line.at)
    else:
        cell = decode(RefusedCell, {**_object(said.get("refused")), "spec": spec})
        (into.failed if cell.failed else into.refused)[cell.spec] = cell
    into.spent_s = max(into.spent_s, line.at, line.spent)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError("a line is neither a block nor a refusal")
    return value
