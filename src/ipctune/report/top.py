"""What `ipctune top` shows: one line a talk, a head, what is worth a word. The screen that moves has the same."""

import textwrap
from collections.abc import Callable, Mapping

from ipctune.report.style import PLAIN, Style
from ipctune.report.trace import amount, cost_lines, more, rate, short, unseen
from ipctune.trace.model import Overview, Talk

__all__ = ["COLUMNS", "SORTS", "WIDTHS", "cells", "chosen", "foot", "head", "render_overview"]

COLUMNS = ("from", "to", "through", "msg/s", "B/s", "wake p99", "asleep", "full")
WIDTHS = (15, 15, 8, 7, 6, 8, 9, 4)
"""Of the columns: 79 with a space between them."""
SORTS: Mapping[str, Callable[[Talk], float]] = {
    "messages": lambda talk: talk.messages_s,
    "bytes": lambda talk: talk.bytes_s,
    "wake p99": lambda talk: talk.wake_p99_ns or 0.0,
    "asleep": lambda talk: max(talk.source_asleep, talk.target_asleep),
    "full": lambda talk: talk.fill or 0.0,
}
"""What the lines can be sorted by, the most first."""
_WIDTH = 80


def cells(talk: Talk) -> tuple[str, ...]:
    """A line, by column; `asleep` is of who sends and who takes."""
    return (
        _who(talk.source_comm, talk.source),
        _who(talk.target_comm, talk.target),
        talk.kind,
        rate(talk.messages_s),
        amount(talk.bytes_s),
        short(talk.wake_p99_ns),
        f"{_part(talk.source_asleep)}/{_part(talk.target_asleep)}",
        "-" if talk.fill is None else f"{100 * talk.fill:.0f}%",
    )


def _who(comm: str, pid: int) -> str:
    """As much of the name as leaves room for the number."""
    return f"{comm[: WIDTHS[0] - 1 - len(str(pid))]} {pid}"


def _part(share: float) -> str:
    return f"{min(999, round(100 * share))}%"


def chosen(found: Overview, sort: str, wanted: str) -> list[Talk]:
    """The talks that hold `wanted` in a name or kind, sorted."""
    some = [talk for talk in found.talks if wanted.lower() in " ".join(cells(talk)).lower()]
    return sorted(some, key=SORTS[sort], reverse=True)


def head(found: Overview) -> str:
    """One line: how many talk, what the waiting is for, steal, locks."""
    halted = "unknown" if found.halted_share is None else f"{found.halted_share:.0%}"
    steal = " ".join(f"{vcpu}:{share:.0%}" for vcpu, share in sorted(found.steal.items()) if share >= 0.005)
    waiting = sum(lock.asleep_ns for lock in found.locks) / found.seconds / 1e9
    return (
        f"{len(found.talks)} talk   waiting for idle vCPUs: {halted} of all   steal {steal or 'none'}   "
        f"threads asleep for locks: {waiting:.1f}"
    )


def foot(found: Overview, width: int = _WIDTH, lines: int = 4) -> list[str]:
    """What is worth a word, in at most so many lines."""
    told = [line for text in found.findings for line in textwrap.wrap(text, width, subsequent_indent="  ")]
    return (told or ["nothing that needs a word"])[:lines]


def render_overview(found: Overview, style: Style = PLAIN, rows: int | None = None) -> str:
    """The same as text, for a screen that does not move."""
    talks = chosen(found, "messages", "")
    lines = [style.bold(head(found)), style.dim(_line(COLUMNS))]
    lines += [_line(cells(talk)) for talk in talks[:rows]]
    lines += more(talks, rows, style) + [style.yellow(line) for line in foot(found, lines=12)]
    lines += unseen(found.lost, "calls and wake-ups", found.missing, style)
    return "\n".join([*lines, *map(style.dim, cost_lines(found.own, found.seconds, 0))])


def _line(texts: tuple[str, ...]) -> str:
    left = " ".join(f"{text[:wide]:<{wide}}" for text, wide in zip(texts[:3], WIDTHS[:3], strict=True))
    right = " ".join(f"{text:>{wide}}" for text, wide in zip(texts[3:], WIDTHS[3:], strict=True))
    return f"{left} {right}".rstrip()
