"""Every knob there is, by id."""

from ipctune.knobs import idle, limits, poller, program
from ipctune.knobs.model import Knob

__all__ = ["KNOBS", "knob"]

KNOBS: dict[str, Knob] = {k.id: k for k in (*idle.KNOBS, *poller.KNOBS, *program.KNOBS, *limits.KNOBS)}


def knob(name: str) -> Knob | None:
    """The knob of that id, or None (a journal may be newer than we are, or forged)."""
    return KNOBS.get(name)
