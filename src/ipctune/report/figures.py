"""Loads as a table of 80 columns: p50 before and after, the change with its interval, the price."""

from collections.abc import Iterable
from textwrap import wrap

from ipctune.report.words import effect, plain, share, short_load
from ipctune.tune.model import ArmFigures, LoadResult

__all__ = ["figures", "folded"]

_HEAD = f"{'':<23}{'median, µs':<18}{'change':<21}vCPU"
_METRIC_HEAD = f"{'':<23}{'metric':<18}{'change':<21}vCPU"


def figures(loads: Iterable[LoadResult]) -> list[str]:
    """A line a load below a heading, and a line for an effect that could not be told from nothing."""
    loads = tuple(loads)
    lines = [line for load in loads for line in _lines(load)]
    head = _METRIC_HEAD if any(load.metric for load in loads) else _HEAD
    return [head, *lines] if lines else []


def _lines(load: LoadResult) -> list[str]:
    change = f"{_figure(load, load.now)} -> {_figure(load, load.tried)}"
    price = f"{load.now.price_vcpus:.2f} -> {load.tried.price_vcpus:.2f}"
    lines = [f"{short_load(load):<23}{change:<18}{effect(load.p50):<21}{price}"]
    seen = load.p50.could_have_seen
    if load.p50.word in ("undecided", "no difference") and seen is not None:
        lines.append(f"{'':<23}an effect of {share(seen)} or more would have shown")
    return lines


def _figure(load: LoadResult, arm: ArmFigures) -> str:
    """The metric, or the median in µs; for a stream as fast as it goes, the time a message takes."""
    if load.metric is not None:
        return plain(arm.figure or 0.0)
    ns = arm.p50_ns if arm.p50_ns is not None else arm.figure
    us = (ns if ns is not None else 1e9 / arm.messages_per_second) / 1000
    return f"{us:.0f}" if us >= 100 else f"{us:.1f}" if us >= 1 else f"{us:.2f}"


def folded(text: str, indent: str = "     ", width: int = 79) -> list[str]:
    """Text in lines that fit a terminal."""
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
