"""Histograms merge without loss, and their quantiles err by one per cent at most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.bench.histogram import Histogram, tail

samples = st.lists(st.integers(0, 10**10), min_size=1, max_size=200)


def bucket(value: int) -> int:
    """The lowest value of a bucket that spans at most one per cent, as the core makes them."""
    shift = max(value.bit_length() - 7, 0)
    return value >> shift << shift


def made(values: list[int]) -> Histogram:
    return Histogram.of((bucket(value), 1) for value in values)


@given(samples, st.floats(0, 1))
def test_quantile_is_within_one_per_cent(values: list[int], q: float) -> None:
    at = next(i for i in range(1, len(values) + 1) if i >= q * len(values))
    exact = sorted(values)[at - 1]
    low = bucket(exact)
    assert abs(made(values).quantile(q) - exact) <= max(0.011 * low, 1)


@given(samples, samples)
def test_merging_is_as_good_as_one_histogram(first: list[int], second: list[int]) -> None:
    assert made(first).merged(made(second)) == made(first + second)
    assert made(first).merged(made(second)).count == len(first) + len(second)


@given(samples)
def test_quantiles_rise(values: list[int]) -> None:
    found = [made(values).quantile(q / 10) for q in range(11)]
    assert found == sorted(found)


def test_a_tail_of_few_samples_is_unknown() -> None:
    assert tail(None, 0.99) is None
    assert tail(Histogram(((50, 9_999),)), 0.99) is None
    assert tail(Histogram(((50, 10_000),)), 0.99) == 50


def test_no_samples_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        Histogram().quantile(0.5)
    with pytest.raises(ValueError, match=r"1\.5"):
        Histogram(((5, 1),)).quantile(1.5)
