"""Every knob there is, by id."""

from ipctune.knobs import idle, limits, memory, napi, poller, program, rlimits, scheduler, semaphores, target
from ipctune.knobs.model import Knob

__all__ = ["KNOBS", "knob"]

_FILES = (idle, poller, program, rlimits, limits, semaphores, scheduler, memory, napi, target)

KNOBS: dict[str, Knob] = {knob.id: knob for file in _FILES for knob in file.KNOBS}


def knob(name: str) -> Knob | None:
    """The knob of that id, or None (a journal may be newer than we are, or forged)."""
    return KNOBS.get(name)
