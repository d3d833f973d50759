"""Loads as a table of 80 columns: p50 before and after, the change with its interval, the price."""

from collections.abc import Iterable
from textwrap import wrap

from ipctune.report.words import effect, share, short_load
from ipctune.tune.model import LoadResult

__all__ = ["figures", "folded"]

HEAD = f"{'':<23}{'median, µs':<18}{'change':<21}vCPU"


def figures(loads: Iterable[LoadResult]) -> list[str]:
    """A line a load below a heading, and a line for an effect that could not be told from nothing."""
    lines = [line for load in loads for line in _lines(load)]
    return [HEAD, *lines] if lines else []


def _lines(load: LoadResult) -> list[str]:
    change = f"{_time(load.now.p50_ns, load.now.messages_per_second)} -> "
    change += _time(load.tried.p50_ns, load.tried.messages_per_second)
    price = f"{load.now.price_vcpus:.2f} -> {load.tried.price_vcpus:.2f}"
    lines = [f"{short_load(load):<23}{change:<18}{effect(load.p50):<21}{price}"]
    seen = load.p50.could_have_seen
    if load.p50.word in ("undecided", "no difference") and seen is not None:
        lines.append(f"{'':<23}an effect of {share(seen)} or more would have shown")
    return lines


def _time(p50_ns: float | None, rate: float) -> str:
    """The median; for a stream as fast as it goes, the time a message takes."""
    us = (p50_ns if p50_ns is not None else 1e9 / rate) / 1000
    return f"{us:.0f}" if us >= 100 else f"{us:.1f}" if us >= 1 else f"{us:.2f}"


def folded(text: str, indent: str = "     ", width: int = 79) -> list[str]:
    """Text in lines that fit a terminal."""
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
