"""A program beside whatever is measured: a stated piece of work at even intervals, in a process of the core's own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ipctune.bench.block import Latency
from ipctune.bench.core import MARGIN_S, answer, start
from ipctune.bench.decode import MalformedError, decode, loads
from ipctune.errors import IpctuneError

__all__ = ["PERIOD_NS", "WORK_NS", "Bystander", "Done", "beside", "rounds_of"]

PERIOD_NS = 5_000_000
WORK_NS = 1_000_000
"""1 ms of computing every 5 ms: a fifth of a vCPU."""


@dataclass(frozen=True, slots=True)
class Done:
    """What the core says. `rounds` of its loop are a piece of work; `latency` in ns, from due until done."""

    rounds: int
    period_ns: int
    seconds: float
    latency: Latency | None

    @property
    def mean_ns(self) -> float:
        """From when a piece is due until it is done, on average. Raises IpctuneError where none was."""
        if self.latency is None:
            raise IpctuneError("the bystander had no time for one piece of work")
        return self.latency.mean


class Bystander:
    """One that runs; `result` waits for its end."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process, self._seconds = process, seconds

    def result(self) -> Done:
        """Raises IpctuneError where it crashed, hung or makes no sense."""
        # Where it gets a fifth of the vCPU that it wants, it takes five times as long: then it is late, and not hung.
        said = answer(self._process, 5 * self._seconds + MARGIN_S, "bystander")
        try:
            return decode(Done, loads(said))
        except MalformedError as error:
            raise IpctuneError(f"the bystander's answer is corrupt: {error}") from None


@contextmanager
def beside(seconds: float, rounds: int) -> Iterator[Bystander]:
    """Run one for about `seconds` while the context lasts. Raises NotPossible where the core does not start."""
    words = ["--seconds", f"{seconds:.9g}", "--period", str(PERIOD_NS), "--work", str(WORK_NS), "--rounds", str(rounds)]
    with start(["bystander", *words]) as process:
        yield Bystander(process, seconds)


def rounds_of() -> int:
    """How many rounds of its loop the piece of work takes here, undisturbed."""
    with beside(2 * PERIOD_NS / 1e9, 0) as one:
        return one.result().rounds
