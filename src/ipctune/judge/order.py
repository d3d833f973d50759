"""The lot that the judge's exactness rests on: which arm of a pair goes first."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["pair_orders"]


def pair_orders(rng: "Random", n: int) -> list[str]:
    """`n` times "AB" or "BA", each drawn by itself with even odds. Raises ValueError if n is negative.

    Not balanced on purpose: a balanced draw makes the pairs' signs depend on each other, and the p value with them.
    """
    if n < 0:
        raise ValueError(f"a negative number of pairs: {n}")
    return [("AB", "BA")[rng.getrandbits(1)] for _ in range(n)]
