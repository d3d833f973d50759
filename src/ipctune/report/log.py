"""The log in words, a line an event."""

from collections.abc import Mapping, Sequence
from time import localtime, strftime
from typing import Any

__all__ = ["render"]


def render(lines: Sequence[Mapping[str, Any]]) -> str:
    """Time, event, knob, and the values that matter."""
    return "\n".join(_line(line) for line in lines)


def _line(line: Mapping[str, Any]) -> str:
    when = strftime("%Y-%m-%d %H:%M:%S", localtime(float(line["time"])))
    what = [str(line.get("event", "?")), str(line.get("knob", ""))]
    for name in ("value", "original", "kept", "front", "files", "run", "goal", "command", "stopped", "left_alone"):
        if line.get(name):
            what.append(f"{name} {_short(line[name])}")
    return f"{when}  " + "  ".join(word for word in what if word)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_short(text)}" for key, text in value.items())
    if isinstance(value, list):
        return ", ".join(_short(one) for one in value)
    return str(value)
