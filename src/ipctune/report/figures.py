"""Loads as a table of 80 columns: median before and after, its change, the price, and the goal's own figure."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from ipctune.report.words import effect, share, short_load
from ipctune.tune.goals import METRICS, metric
from ipctune.tune.model import ArmFigures, Goal, LoadResult

__all__ = ["figures", "folded"]

_HEAD = f"{'':<22}{'median, µs':<16}{'change':<19}CPU + polling"


def figures(loads: Iterable[LoadResult], goal: Goal) -> list[str]:
    """Two lines a load below a heading: the figures, and what the goal decides by, with what it could have seen."""
    lines = [line for load in loads for line in _lines(load, goal)]
    return [_HEAD, *lines] if lines else []


def _lines(load: LoadResult, goal: Goal) -> Iterator[str]:
    change = f"{_time(load.now)} -> {_time(load.tried)}"
    yield f"{short_load(load):<22}{change:<16}{effect(load.p50):<19}{_price(load)}"
    decides = metric(goal, load)
    seen = "" if decides.could_have_seen is None else f"; {share(decides.could_have_seen)} would have shown"
    yield f"  {METRICS[goal]} {'' if goal is Goal.LATENCY else effect(decides) + ': '}{decides.word}{seen}"
    if not load.keeps_up:
        yield "  falls behind that rate: latency is that of a growing queue"


def _time(arm: ArmFigures) -> str:
    """The median; for a stream as fast as it goes, the time a message takes."""
    return _micro(arm.p50_ns if arm.p50_ns is not None else 1e9 / arm.messages_per_second)


def _price(load: LoadResult) -> str:
    """At a rate in vCPUs; as fast as it goes both arms use all they get, so there a message's price tells."""
    if load.rate:
        return f"{load.now.price_vcpus:.2f} -> {load.tried.price_vcpus:.2f} vCPU"
    return f"{_micro(load.now.price_ns_per_message)} -> {_micro(load.tried.price_ns_per_message)} µs"


def _micro(ns: float) -> str:
    us = ns / 1000
    return f"{us:.0f}" if us >= 100 else f"{us:.1f}" if us >= 1 else f"{us:.2f}"


def folded(text: str, indent: str = "     ", width: int = 79) -> list[str]:
    """Text in lines that fit a terminal."""
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
