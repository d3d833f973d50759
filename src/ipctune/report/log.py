"""The log in words, a line an event."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from time import localtime, strftime
from typing import Any

__all__ = ["render"]


_FACTS = ("value", "original", "kept", "front", "files", "run", "goal", "command", "stopped", "left_alone")
_CLOCK = "%Y-%m-%d %H:%M:%S"
_INDENT = " " * 21  # below the event: past the time


def render(lines: Sequence[Mapping[str, Any]], width: int | None = None) -> str:
    """Time, event, knob, and the values that matter; folded to `width` columns where one is given."""
    told = [_line(line) for line in lines]
    return "\n".join(told if width is None else (part for line in told for part in _folded(line, width)))


def _folded(line: str, width: int) -> list[str]:
    room = max(width, 2 * len(_INDENT))
    return wrap(line, room, subsequent_indent=_INDENT, break_on_hyphens=False)


def _line(line: Mapping[str, Any]) -> str:
    when = strftime(_CLOCK, localtime(float(line["time"])))
    what = [str(line.get("event", "?")), str(line.get("knob", "")), *_verdict(line)]
    what += [f"{name} {_short(line[name])}" for name in _FACTS if line.get(name)]
    return f"{when}  " + "  ".join(word for word in what if word)


def _verdict(line: Mapping[str, Any]) -> Iterator[str]:
    """How it ended, what was found, and until when it stays."""
    if line.get("interrupted"):
        yield "INTERRUPTED before its end"
    if line.get("guard"):
        yield f"STOPPED for your programs: {line['guard']}"
    if line.get("word"):
        yield str(line["word"])
    if isinstance(line.get("until"), int | float):
        yield strftime(f"until {_CLOCK}", localtime(line["until"]))


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_short(text)}" for key, text in value.items())
    if isinstance(value, list):
        return ", ".join(_short(one) for one in value)
    return str(value)
