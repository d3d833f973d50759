"""The normal distribution, for planning alone: no verdict rests on it. (`statistics` would triple the import time.)"""

from math import erfc, sqrt

__all__ = ["below", "quantile"]


def below(z: float) -> float:
    """Probability that a standard normal value is at most `z`."""
    return 0.5 * erfc(-z / sqrt(2))


def quantile(probability: float) -> float:
    """The z below which a standard normal value falls with `probability`, in (0, 1), to 1e-9; -40 to 40."""
    if not 0 < probability < 1:
        raise ValueError(f"not a probability between 0 and 1: {probability}")
    low, high = -40.0, 40.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return (low + high) / 2
