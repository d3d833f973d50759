"""Run the measuring core, one block a call, and turn its refusals into errors people can act on.

The core runs in a session of its own, so that a Ctrl-C of the terminal reaches us alone and we end
the whole group: nothing is left behind, whichever way a block ends.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipctune.bench.block import Block, parse
from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.bench.spec import PAIRS, Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = ["MARGIN_S", "MechanismInfo", "Refused", "answer", "ask", "mechanisms", "run", "start"]

MARGIN_S = 15.0
"""Seconds a block may take beyond its measured part: set-up, prefault, warm-up, clearing up."""


class Refused(NotPossible):
    """The machine refused a call: which, by which errno, and the limit behind it where known."""

    def __init__(self, refusal: "_Refusal", spec: str) -> None:
        limit = f" (limit: {refusal.limit})" if refusal.limit else ""
        what = f"{refusal.call}: {refusal.name}, {refusal.message}{limit}; {spec}"
        super().__init__(what, hint=f"{refusal.limit} decides this" if refusal.limit else "")
        self.call = refusal.call
        self.errno_name = refusal.name
        self.limit = refusal.limit


@dataclass(frozen=True, slots=True)
class MechanismInfo:
    """One way to communicate, as the core says.

    `max_size` is bytes a message, None: any. `patterns` are those that it can do; `stream`: whether it can go one
    way as fast as it goes, losing nothing; `waits`: the values of `Spec.wait` it takes.
    """

    name: str
    summary: str
    manual: str
    stream: bool
    max_size: int | None
    options: tuple[str, ...] = ()
    waits: tuple[str, ...] = ("block",)
    patterns: tuple[str, ...] = PAIRS


@dataclass(frozen=True, slots=True)
class _Refusal:
    call: str
    name: str
    message: str
    errno: int = 0
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class _Mechanisms:
    mechanisms: tuple[MechanismInfo, ...]


def run(spec: Spec, seconds: float, seed: int, *, core: str | Path | None = None) -> Block:
    """Measure one block of `seconds`.

    Raises WrongUse (the core didn't understand), Refused (the machine said no: errno, call, limit),
    NotPossible (no core, or no message in that time), IpctuneError (it crashed, hung, or a payload
    came back changed).
    """
    command = ["run", *spec.arguments(), "--seconds", f"{seconds:.9g}", "--seed", str(seed)]
    said = _call(command, seconds + MARGIN_S, spec.describe(), core)
    return parse(said, spec)


def mechanisms(*, core: str | Path | None = None) -> tuple[MechanismInfo, ...]:
    """Every mechanism that the core knows, in its own order."""
    said = ask("mechanisms", core=core)
    try:
        return decode(_Mechanisms, said).mechanisms
    except MalformedError as error:
        raise IpctuneError(f"the measuring core's answer is corrupt: {error}") from None


def ask(question: str, *words: str, core: str | Path | None = None) -> Any:
    """The core's JSON answer to a question (`mechanisms`, `facts`, `limits`), with that command's options."""
    try:
        return loads(_call([question, *words], MARGIN_S, question, core))
    except MalformedError as error:
        raise IpctuneError(f"the measuring core's answer is corrupt: {error}") from None


def _call(arguments: list[str], limit: float, what: str, core: str | Path | None) -> bytes:
    with start(arguments, core=core) as process:
        return answer(process, limit, what)


@contextlib.contextmanager
def start(arguments: Sequence[str], *, core: str | Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The core with these words, in a session of its own that has ended when the context does. Raises NotPossible."""
    path = str(core or _find())
    try:
        process = subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise NotPossible(f"the measuring core does not start: {error}", hint=_HINT) from None
    with process:
        try:
            yield process
        finally:
            _end(process)


def answer(process: subprocess.Popen[bytes], limit: float, what: str) -> bytes:
    """What it prints, within `limit` seconds. Raises what the core's exit status stands for."""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise IpctuneError(f"the measuring core hung for {limit:.0f} s: {what}") from None
    if process.returncode:
        raise _error(process.returncode, out, err, what)
    return out


_HINT = "./run builds it; IPCTUNE_CORE names another one"


def _find() -> Path | str:
    from ipctune.host.core import find_core

    found = find_core()
    if found is None:
        raise NotPossible("the measuring core (ipctune-core) is not there", hint=_HINT)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the core's session; its leader is not reaped yet, so the number is still ours."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _error(code: int, out: bytes, err: bytes, what: str) -> IpctuneError:
    if code < 0:
        return IpctuneError(f"the measuring core died of {_signal(-code)}: {what}")
    try:
        refusal = decode(_Refusal, loads(out)["error"], "error")
    except (MalformedError, KeyError, TypeError):
        said = (err or out).decode(errors="replace").strip()[:200]
        return IpctuneError(f"the measuring core ended with {code}: {said or 'no word'}; {what}")
    if code == 2:
        return WrongUse(f"{refusal.call}: {refusal.message}; {what}")
    if code == 3:
        return Refused(refusal, what)
    return IpctuneError(f"the measuring core: {refusal.call}: {refusal.message}; {what}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
