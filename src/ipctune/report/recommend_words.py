"""Names, figures and intervals of a recommendation, in the room that a column has."""

from collections.abc import Sequence

from ipctune.bench.recommendation import Absent, Arm, Looked, Recommendation
from ipctune.bench.sizes import short
from ipctune.judge.verdict import Estimate
from ipctune.report.figures import folded
from ipctune.report.words import percent

__all__ = ["amount", "estimate", "figure", "figure_name", "load", "micro", "name_of", "refusals"]

_PLACES = {"same": "both on one vCPU", "across": "across two vCPUs", "free": "not pinned"}
_MANY = 3.0


def name_of(label: str) -> str:
    """The label with its numbers in short: `pipe capacity=1M`."""
    mechanism, *options = label.split(" ")
    return " ".join([mechanism, *map(_option, options)])


def _option(text: str) -> str:
    name, _, value = text.partition("=")
    if not value.isdigit() or name == "spin":
        return f"{name}={int(value) // 1000}us" if value.isdigit() else text
    return f"{name}={short(int(value))}"


def load(result: Recommendation) -> str:
    """`at 1,000/s, 10 µs of work, not pinned`."""
    words = [f"at {result.rate:,.6g}/s, Poisson" if result.rate else "as fast as it goes"]
    if result.work_ns:
        words.append(f"{result.work_ns / 1000:g} µs of work")
    return ", ".join([*words, _PLACES[result.placement]])


def micro(ns: float) -> str:
    """ns as µs in at most seven characters, without the unit."""
    us = ns / 1000
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def figure_name(arm: Arm) -> str:
    """What decides."""
    return "k msg/s" if arm.p50_ns is None else "p50 µs"


def figure(arm: Arm) -> str:
    """The median latency, or messages a second."""
    return _figure(arm.p50_ns, arm.messages_per_second)


def amount(one: Looked) -> str:
    """The same of the short look, with its unit."""
    return f"{_figure(one.p50_ns, one.messages_per_second)} {'k/s' if one.p50_ns is None else 'µs'}"


def _figure(p50_ns: float | None, rate: float) -> str:
    if p50_ns is not None:
        return micro(p50_ns)
    thousands = rate / 1000
    return f"{thousands:,.0f}" if thousands >= 100 else f"{thousands:.3g}"


def estimate(told: Estimate) -> str:
    """`+12 % (+10 … +14)`, `×5.2 (4.9 … 5.5)` where it is many times, and where there are too few pairs that."""
    if told.low is None or told.high is None:
        return f"{_change(told.effect)} (too few)"
    if told.effect >= _MANY:
        return f"×{1 + told.effect:.3g} ({1 + told.low:.3g} … {1 + told.high:.3g})"
    return f"{percent(told.effect)} ({_bare(told.low)} … {_bare(told.high)})"


def _change(effect: float) -> str:
    return f"×{1 + effect:.3g}" if effect >= _MANY else percent(effect)


def _bare(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")


def refusals(absent: Sequence[Absent]) -> list[str]:
    """One line each for those of the plain form; options that are not taken here in one."""
    plain = [one for one in absent if " " not in one.label]
    options = [name_of(one.label) for one in absent if " " in one.label and not one.failed]
    lines = [line for one in plain for line in folded(f"{one.label}: {_why(one)}", "  ")]
    lines += [line for one in absent if one.failed and " " in one.label for line in folded(f"{one.label}: {one.what}")]
    return lines + (folded(f"not taken here: {', '.join(options)}", "  ") if options else [])


def _why(one: Absent) -> str:
    if one.failed:
        return f"FAILED: {one.what}"
    limit = f" (limit: {one.limit})" if one.limit else ""
    return f"refused: {one.errno_name}{limit}" if one.errno_name else f"not measured: {one.what}"
