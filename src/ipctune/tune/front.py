"""What was tried as points of gain against price and memory, as a run keeps them; one front a load."""

from dataclasses import dataclass

__all__ = ["AS_IT_IS", "Front", "Spot"]

AS_IT_IS = ""
"""The knob of the spot that changes nothing."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One candidate at one load, against the present state, which is the spot of gain, price and memory 0.

    `gain` is the fraction by which the figure is better (0.89: latency 89 % lower, or a metric 89 % higher), `price`
    what it adds, in the front's unit, and `memory` the bytes that it takes at most for each pipe or connection. A gain
    or price whose interval holds nil counts as 0. `beaten_by` names a spot of the front that is at least as good in all
    three and better in one; None where there is none: then it is on the front.
    """

    knob: str
    title: str
    value: dict[str, str]
    gain: float
    price: float
    memory: int = 0
    beaten_by: str | None = None

    @property
    def stands_out(self) -> bool:
        """On the front, and not the same as leaving everything as it is."""
        return self.beaten_by is None and (self.gain, self.price, self.memory) != (0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class Front:
    """All candidates at one load. `unit` of the price: vCPU at a rate, ns a message as fast as it goes, or s a run."""

    load: str
    unit: str
    spots: tuple[Spot, ...]
