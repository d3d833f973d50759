"""Benchmarks that are server and client in one and know no rate: each block is one run of the program."""

from abc import abstractmethod

from ipctune.workload.cost import Cost
from ipctune.workload.loads import Pace, closed
from ipctune.workload.model import Load, Sample
from ipctune.workload.served import Served
from ipctune.workload.server import Server, program

__all__ = ["ClosedLoop"]

_TIMEOUT = 120.0


class ClosedLoop(Served):
    """`needs`: the program, Debian's packages and Fedora's. `first`: messages of the first block.

    One file a program gives the command of a block, and reads what it printed.
    """

    name: str
    needs: tuple[str, str, str]

    def __init__(self, loads: tuple[Load, ...], first: int) -> None:
        super().__init__(Server(self.name, None))
        self.loads = loads
        self._pace = Pace(first)

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        """One block. Raises WorkloadFailed."""
        if not self._pace.known(load):
            self._block(load, seconds)
        return self._block(load, seconds)

    def _find(self) -> None:
        self._path = program(*self.needs)

    def _start(self) -> None:
        """Nothing: the server is a part of the program."""

    def _block(self, load: Load, seconds: float) -> Sample:
        argv, messages = self._command(self._path, load, self._pace.count(load, seconds))
        run = self._server.run(argv, _TIMEOUT)
        rate = self._rate(run.output, load, messages)
        self._pace.saw(load, rate)
        return self._sample(load, rate, messages, run.cost)

    @abstractmethod
    def _command(self, path: str, load: Load, wanted: int) -> tuple[list[str], int]:
        """The command of a block of about `wanted` messages, and how many it will send."""

    @abstractmethod
    def _rate(self, output: str, load: Load, messages: int) -> float:
        """Messages a second, by what the program printed. Raises WorkloadFailed."""

    def _sample(self, load: Load, rate: float, messages: int, cost: Cost) -> Sample:
        return closed(load, rate, messages, cost)
