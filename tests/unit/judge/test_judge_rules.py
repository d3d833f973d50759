"""The guard of the tail, and the lot that decides which arm goes first."""

from math import log1p
from random import Random

import pytest

from ipctune.judge.flips import Interval
from ipctune.judge.normal import below, quantile
from ipctune.judge.order import pair_orders
from ipctune.judge.rules import p99_worse


def logs(low: float | None, high: float | None) -> Interval:
    return Interval(None if low is None else log1p(low), None if high is None else log1p(high))


def test_p99_worse() -> None:
    assert p99_worse(logs(0.26, 0.9)) is True
    assert p99_worse(logs(0.26, None)) is True
    assert p99_worse(logs(0.2, 0.9)) is False
    assert p99_worse(logs(None, 0.9)) is False
    assert p99_worse(logs(None, None)) is None
    assert p99_worse(None) is None


def test_orders_are_drawn_each_by_itself() -> None:
    orders = pair_orders(Random(1), 1000)
    assert orders == pair_orders(Random(1), 1000)
    assert set(orders) == {"AB", "BA"}
    assert 400 < orders.count("AB") < 600
    assert pair_orders(Random(1), 0) == []
    with pytest.raises(ValueError, match="negative"):
        pair_orders(Random(1), -1)


@pytest.mark.parametrize(("probability", "z"), [(0.5, 0.0), (0.975, 1.959964), (0.8, 0.841621), (0.0025, -2.807034)])
def test_normal(probability: float, z: float) -> None:
    assert quantile(probability) == pytest.approx(z, abs=1e-6)
    assert below(z) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("probability", [0.0, 1.0, -1.0])
def test_normal_refuses(probability: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        quantile(probability)
