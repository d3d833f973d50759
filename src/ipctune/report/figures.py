"""Loads as a table of 80 columns: figure before and after, its change, the price, and what the goal decides by."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from ipctune.report.words import effect, plain, share, short_load
from ipctune.tune.goals import metric, metric_name
from ipctune.tune.model import ArmFigures, Goal, LoadResult

__all__ = ["figures", "folded"]

_LEFT = 38  # columns of the load and its figures
_SHORTEST = 9  # of them for the load's name


def figures(loads: Iterable[LoadResult], goal: Goal) -> list[str]:
    """Two lines a load below a heading: the figures, and what the goal decides by, with what it could have seen."""
    loads = tuple(loads)
    lines = [line for load in loads for line in _lines(load, goal)]
    what = "metric" if any(load.metric for load in loads) else "median, µs"
    return [f"{'':<22}{what:<16}{'change':<19}CPU + polling", *lines] if lines else []


def _lines(load: LoadResult, goal: Goal) -> Iterator[str]:
    yield f"{_now_and_tried(load):<{_LEFT}}{effect(load.p50):<18} {_price(load)}"
    decides = metric(goal, load)
    seen = "" if decides.could_have_seen is None else f"; {share(decides.could_have_seen)} would have shown"
    change = "" if decides is load.p50 else f"{effect(decides)}: "
    yield f"  {metric_name(goal, [load])} {change}{decides.word}{seen}"
    if not load.keeps_up:
        yield "  falls behind that rate: latency is that of a growing queue"


def _now_and_tried(load: LoadResult) -> str:
    """Both figures below their heading; long ones take of the room of the load's name."""
    change = f"{_figure(load, load.now)} -> {_figure(load, load.tried)}"
    room = max(_SHORTEST, min(22, _LEFT - 1 - len(change)))
    name = short_load(load)
    return f"{name if len(name) < room else name[: room - 2] + '…':<{room}}{change} "


def _figure(load: LoadResult, arm: ArmFigures) -> str:
    """The metric, or the median in µs; for a stream as fast as it goes, the time a message takes."""
    if load.metric is not None:
        return plain(arm.figure or 0.0)
    ns = arm.p50_ns if arm.p50_ns is not None else arm.figure
    return _micro(ns if ns is not None else 1e9 / arm.messages_per_second)


def _price(load: LoadResult) -> str:
    """At a rate in vCPUs; as fast as it goes both arms use all they get, so there a message's price tells.

    Of a command nobody counts messages.
    """
    if load.rate or load.metric is not None:
        return f"{load.now.price_vcpus:.2f} -> {load.tried.price_vcpus:.2f} vCPU"
    return f"{_micro(load.now.price_ns_per_message)} -> {_micro(load.tried.price_ns_per_message)} µs"


def _micro(ns: float) -> str:
    us = ns / 1000
    return f"{us:.0f}" if us >= 100 else f"{us:.1f}" if us >= 1 else f"{us:.2f}"


def folded(text: str, indent: str = "     ", width: int = 79) -> list[str]:
    """Text in lines that fit a terminal."""
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
