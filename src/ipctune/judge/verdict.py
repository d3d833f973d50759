"""What a trial ends with: the word, the effect with its interval, and what the trial could have seen."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Decision", "Estimate", "Word"]


class Word(StrEnum):
    """What may be said of B against A."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Decision:
    """A look at the pairs so far. Effects are fractions of A: -0.89 is 89 % less, whichever direction is better.

    `low` and `high` bound the effect at this look's family-wise level `alpha`; None is no bound. `stop`: more pairs
    are not worth their time. `could_have_seen`: the least effect, as a positive fraction in the better direction, that
    this scatter and this many pairs would have shown four times out of five; None where there are too few pairs.
    """

    verdict: Word
    stop: bool
    reason: str
    effect: float
    low: float | None
    high: float | None
    could_have_seen: float | None
    pairs: int
    alpha: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect as a fraction of A, its interval (None is no bound) and the number of pairs behind it."""

    effect: float
    low: float | None
    high: float | None
    pairs: int
