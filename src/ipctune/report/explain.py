"""What `ipctune explain` shows."""

import textwrap
from collections.abc import Iterator

from ipctune.host.findings_limits import amount
from ipctune.report.services import use_row
from ipctune.report.style import PLAIN, Style
from ipctune.services.explain import NEAR, Cause, Explanation, Meaning

__all__ = ["render"]

_WIDTH = 80


def render(told: Explanation, style: Style = PLAIN) -> str:
    """The screen, at most 80 columns wide."""
    if told.meaning is None:
        return "\n".join(_unknown(told))
    return "\n".join(_known(told.meaning, style))


def _unknown(told: Explanation) -> Iterator[str]:
    yield "This line is not known here. The nearest that are:"
    for example in told.nearest:
        yield from _wrapped(example, " - ", "   ")
    yield "ipctune services shows every limit of your services that is near."


def _known(meaning: Meaning, style: Style) -> Iterator[str]:
    yield from _wrapped(meaning.means, "means      ", " " * 11)
    yield ""
    yield style.bold("limits that can cause it")
    for cause in meaning.causes:
        yield from _cause(cause, style)
    yield ""
    for line in _now(meaning):
        yield style.red(line) if meaning.near else line
    for one in meaning.findings:
        yield from _wrapped(f"{one.topic}: {one.what}", "also       ", " " * 11)
    yield ""
    yield from (style.bold(line) for line in _wrapped(meaning.fix, "fix        ", " " * 11))
    yield from _wrapped(meaning.wrong, "not        ", " " * 11)


def _cause(cause: Cause, style: Style) -> Iterator[str]:
    yield from _wrapped(f"{cause.limit}: {cause.when}", " ", "   ")
    for use in cause.uses:
        for row in _row(use_row(use)):
            yield style.red(row) if use.full >= NEAR else row


def _row(text: str) -> list[str]:
    """The columns as they are, and what does not fit in lines below: nobody can look up half a pid."""
    if len(text.rstrip()) <= _WIDTH:
        return [text.rstrip()]
    at = text.rfind(" ", 0, _WIDTH)
    return [text[:at].rstrip(), *_wrapped(text[at:].strip(), " " * 6, " " * 6)]


def _now(meaning: Meaning) -> list[str]:
    if not meaning.near:
        seen = any(cause.uses for cause in meaning.causes)
        text = "none of them is near its ceiling at the moment: it has passed, or its process has ended"
        return _wrapped(text if seen else "none of them can be seen from here", "now        ", " " * 11)
    lines: list[str] = []
    for at, use in enumerate(meaning.near):
        most = max(use.use or 0, use.peak or 0)
        unit = "" if use.unit == "bytes" else f" {use.unit}"
        who = use.holder.label if use.holder else use.what or use.place or "this machine"
        place = f", {use.place}" if use.place and use.place not in who else ""
        full = f", full in {use.full_looks} of {use.looks} looks" if use.full_looks else ""
        full += (
            f", and {amount(meaning.asked, 'bytes')} were asked for" if meaning.asked and use.unit == "bytes" else ""
        )
        text = f"{use.limit} is at {amount(most, use.unit)} of {amount(use.value, use.unit)}{unit}{full}: {who}{place}"
        lines += _wrapped(text, "now        " if at == 0 else " " * 11, " " * 11)
    return lines


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
