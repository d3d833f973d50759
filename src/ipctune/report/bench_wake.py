"""The wake-cost curve in words and as a plot: what a halted vCPU costs, who polls, what it foretells."""

from ipctune.bench.predict import Prediction, WakeCost
from ipctune.bench.wake import Curve, Knee
from ipctune.report import plot

__all__ = ["wake_lines"]


def wake_lines(wake: WakeCost, *, quick: bool, unicode: bool = True) -> list[str]:
    """Why a round trip across vCPUs costs what it does; two to five lines, more with the plot."""
    curve = wake.curve
    lines = [_why(curve), _shape(curve, unicode)] if quick else [_why(curve), *_plot(curve, unicode)]
    lines.append(_who(wake.knee))
    if wake.suggested_poll_ns is not None and wake.predictions:
        shown = wake.predictions[:2] if quick else wake.predictions
        lines += _foretold(wake.suggested_poll_ns, shown)
    return lines


def _why(curve: Curve) -> str:
    flat_out = curve.points[0].p50_ns
    excess = max(flat_out - curve.awake_ns, 0.0)
    return (
        f"why: of {plot.time_text(flat_out)} RT on two vCPUs (pipe), waking halted vCPUs is "
        f"{plot.time_text(excess)} ({excess / flat_out:.0%})"
    )


def _gap(ns: int) -> str:
    return "0" if ns == 0 else f"{ns / 1e6:g} ms" if ns >= 1_000_000 else f"{ns / 1000:g} µs"


def _shape(curve: Curve, unicode: bool) -> str:
    first, last = curve.points[0], curve.points[-1]
    line = plot.spark([point.p50_ns for point in curve.points], unicode=unicode)
    return (
        f"RT after idling 0 to {_gap(last.gap_ns)}: {plot.time_text(first.p50_ns)} {line} {plot.time_text(last.p50_ns)}"
    )


def _plot(curve: Curve, unicode: bool) -> list[str]:
    title = "wake-cost curve: pipe RT on two vCPUs after an idle gap"
    points = [(_gap(point.gap_ns), point.p50_ns) for point in curve.points]
    points.append(("awake", curve.awake_ns))
    return [title, *plot.curve(points, width=78, unicode=unicode)]


def _who(found: Knee) -> str:
    if found.kind == "nobody":
        return "     nobody polls here: a message to an idle vCPU waits for the hypervisor"
    if found.kind == "awake":
        return "     no gap is slow here: vCPUs are kept awake, or this hypervisor wakes them fast"
    who = {"guest": "the guest polls", "host": "the host polls"}.get(found.who or "", "somebody polls (guest or host)")
    return f"     {who} before halting, up to a gap between {_gap(found.from_ns or 0)} and {_gap(found.to_ns or 0)}"


def _foretold(poll_ns: int, told: tuple[Prediction, ...]) -> list[str]:
    title = f"     foretold, not measured, if vCPUs polled for {poll_ns / 1000:g} µs (vCPUs it takes):"
    words = [
        f"{one.without_ns / 1000:.0f} -> {one.with_ns / 1000:.0f} µs RT {_at(one.rate)} ({one.polling_vcpus:.2f})"
        for one in told
    ]
    return [title, *(f"     {', '.join(words[at : at + 2])}" for at in range(0, len(words), 2))]


def _at(rate: float) -> str:
    return f"at {rate:,.0f}/s" if rate else "flat out"
