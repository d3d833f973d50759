"""What the workloads around a process of ours share: programs are found, then it starts, and whatever fails ends it."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self

from ipctune.workload.server import Server

__all__ = ["Served"]


class Served(ABC):
    """A context manager around one `Server`; `_pid` is the process that `pause` stops."""

    def __init__(self, server: Server) -> None:
        self._server, self._pid = server, 0

    def __enter__(self) -> Self:
        self._find()
        with ExitStack() as stack:
            stack.enter_context(self._server)
            self._start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def pause(self, on: bool) -> None:
        """Stop the server's processes, or let them go on."""
        self._server.pause(self._pid, on)

    @abstractmethod
    def _find(self) -> None:
        """The programs that it takes, before anything is started. Raises NotPossible where one is missing."""

    @abstractmethod
    def _start(self) -> None:
        """Start the server, in its folder, and wait till it is ready. Raises WorkloadFailed."""
