"""The workload that the settings name, started; None where it is the built-in pair, which needs no start."""

from collections.abc import Iterator
from contextlib import contextmanager

from ipctune.tune.attached import attached
from ipctune.tune.model import Settings
from ipctune.workload.command import Command
from ipctune.workload.model import Workload
from ipctune.workload.registry import make

__all__ = ["opened"]

_FIRST = 10.0  # seconds


@contextmanager
def opened(settings: Settings) -> Iterator[Workload | None]:
    """Whatever it starts has ended when the context does. Raises WrongUse, NotPossible, WorkloadFailed."""
    if settings.workload:
        with make(settings.workload, settings.workload_rate) as server:
            yield server
        return
    if settings.attach:
        with attached(settings.attach) as service:
            yield service
        return
    if settings.command is None:
        yield None
        return
    with Command(settings.command, first=max(_FIRST, settings.seconds / 4)) as command:
        yield command
