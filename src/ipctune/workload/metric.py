"""The figure that a command prints: found by a regular expression, or by a path into the JSON that it prints."""

import json
import re
import warnings
from collections.abc import Callable
from math import isfinite
from typing import Any

from ipctune.errors import WrongUse

__all__ = ["NoMetric", "Read", "reader"]

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(?:\.\d*)?(?:[eE][+-]?\d{1,6})?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_STARTS = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)
_LONGEST = 40


class NoMetric(ValueError):
    """The output holds no figure that could be compared: which, in words that follow "the command"."""


Read = Callable[[str], float]
"""The output of one run to its figure, finite and above 0. Raises NoMetric."""


def reader(metric: str) -> Read:
    """How `metric` is read: `json:PATH`, or a regular expression whose first group of the last match it is.

    In the expression ^ and $ match at every line. Raises WrongUse where that can't be.
    """
    if metric.startswith("json:"):
        return _json_reader(metric.removeprefix("json:"))
    return _regex_reader(metric)


def _regex_reader(text: str) -> Read:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pattern = re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise WrongUse(f"--metric {text!r} is no regular expression: {error}") from None
    if not pattern.groups:
        raise WrongUse(
            f"--metric {text!r} has no group that captures the number",
            hint="such as --metric 'requests/s: ([0-9.]+)', or --metric json:latency.p50",
        )

    def read(output: str) -> float:
        last = None
        for last in pattern.finditer(output):  # noqa: B007 - the last one counts
            pass
        if last is None:
            raise NoMetric(f"printed nothing that matches {text!r}")
        return _checked(last[1])

    return read


def _json_reader(path: str) -> Read:
    keys = path.split(".")
    if not all(keys):
        raise WrongUse(f"--metric json:{path} names no value", hint="such as --metric json:latency.p50")

    def read(output: str) -> float:
        value = _last_json(output)
        for at, key in enumerate(keys):
            value = _below(value, key, ".".join(keys[: at + 1]))
        return _checked(value)

    return read


def _last_json(output: str) -> Any:
    """The last object or list that begins at the start of a line, over one line or several."""
    decoder, found, at = json.JSONDecoder(), None, 0
    for start in _STARTS.finditer(output):
        if start.end() < at:
            continue  # inside of the one before
        try:
            found, at = decoder.raw_decode(output, start.end())
        except ValueError:
            continue
        except RecursionError:
            break
    if found is None:
        raise NoMetric("printed no JSON")
    return found


def _below(value: Any, key: str, path: str) -> Any:
    if isinstance(value, dict) and key in value:
        return value[key]
    if isinstance(value, list) and re.fullmatch(r"-?\d{1,9}", key) and -len(value) <= int(key) < len(value):
        return value[int(key)]
    raise NoMetric(f"printed JSON without {path}")


def _checked(found: Any) -> float:
    """A figure that a logarithm can be taken of."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise NoMetric(f"printed {_short(json.dumps(found))} where a number should be")
    text = found.strip() if isinstance(found, str) else ""
    if isinstance(found, str) and not (_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text)):
        raise NoMetric(f"printed no number: {_short(repr(found))}")
    try:
        value = float(text.replace(",", "") if isinstance(found, str) else found)
    except (OverflowError, ValueError):
        raise NoMetric(f"printed a number that is too large: {_short(str(found))}") from None
    if not isfinite(value):
        raise NoMetric(f"printed {value}, which is no measurement")
    if value <= 0:
        raise NoMetric(f"printed {value:g}: a metric has to be above 0")
    return value


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
