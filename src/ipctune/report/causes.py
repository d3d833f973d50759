"""The causes on the screens of `tune`: what explains how much of the time, and what that makes the bottleneck."""

from collections.abc import Sequence

from ipctune.report.figures import folded
from ipctune.report.style import Style
from ipctune.report.words import micro
from ipctune.report.words import share as percentage
from ipctune.tune.evidence import UNKNOWN, Evidence
from ipctune.tune.model import Bottleneck, TuneResult

__all__ = ["cause_words", "render_why", "title"]

_BAR = 26


def render_why(found: Evidence, style: Style) -> str:
    """The bottleneck with its evidence: a bar for each cause that was looked at."""
    head = f"{micro(found.p50_ns)} round trip across two vCPUs (64-byte pipe)" if found.p50_ns else ""
    lines = [title("2  WHY", head, style), *(line for note in found.notes for line in folded(note, "   "))]
    for cause in found.bottlenecks:
        lines.append(f"   {cause.title:<26}{_bar(cause.share)} {_share(cause.share, cause.low, cause.high)}")
        lines += [style.dim(line) for text in cause.evidence for line in folded(text)]
    return "\n".join([*lines, *folded(f"-> {_verdict(found, style)}", "   ")])


def _verdict(found: Evidence, style: Style) -> str:
    named = next((b.title for b in found.bottlenecks if b.cause == found.bottleneck), "")
    if named:
        return style.bold(f"The bottleneck: {named}.")
    if found.bottleneck == UNKNOWN:
        return f"The bottleneck could not be told: nothing here shows how much {_open(found.bottlenecks)} takes."
    return "No bottleneck that this tool knows of."


def _open(causes: Sequence[Bottleneck]) -> str:
    """The causes whose share is unknown."""
    return ", ".join(b.title for b in causes if b.share is None) or "any cause"


def _bar(share: float | None) -> str:
    full = round(_BAR * min(1.0, max(0.0, share or 0.0)))
    return "█" * full + "░" * (_BAR - full)


def _share(share: float | None, low: float | None, high: float | None) -> str:
    if share is None:
        return "unknown"
    if low is None and high is not None:
        return f"at most {percentage(high)}"
    if low is None or high is None:
        return percentage(share)
    return f"{percentage(share)} ({max(0.0, low) * 100:.0f} … {max(0.0, high) * 100:.0f})"


def cause_words(result: TuneResult) -> str:
    """The bottleneck with its share, as the start of a sentence."""
    cause = next((b for b in result.bottlenecks if b.cause == result.bottleneck), None)
    if result.bottleneck == UNKNOWN:
        return f"How much {_open(result.bottlenecks)} takes could not be told"
    if cause is None:
        return "No bottleneck was named" if result.bottleneck == "none" else f"The bottleneck is {result.bottleneck}"
    explains = "explains" if cause.low is not None or cause.high is None else "may explain up to"
    return f"{cause.title[:1].upper()}{cause.title[1:]} {explains} {percentage(cause.share or 0)} of the time"


def title(name: str, note: str, style: Style) -> str:
    """The heading of a part of the screen, and what it is about."""
    return style.bold(f"{name:<12}") + style.dim(note)
