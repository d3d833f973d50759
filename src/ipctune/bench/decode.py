"""Untrusted JSON to frozen dataclasses, strictly: errors name the place and what was expected.

The core's output and saved runs come through here. Fields that are not known are ignored, so that
a newer core can say more; one that is missing without a default is an error.
"""

import dataclasses
import enum
import json
import math
import types
import typing
from typing import Any, NoReturn, TypeVar

__all__ = ["MalformedError", "decode", "loads"]

T = TypeVar("T")


class MalformedError(ValueError):
    """The text is no JSON, or not of the shape that was promised."""


def loads(text: str | bytes) -> Any:
    """JSON without NaN and infinities; raises MalformedError."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}") from None


def decode(wanted: type[T], value: Any, where: str = "") -> T:
    """`value` as a `wanted` (dataclass, tuple, dict, enum, optional or plain type); raises MalformedError."""
    result: T = _decode(wanted, value, where)
    return result


def _decode(wanted: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(wanted)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _dataclass(wanted, value, where)
    if origin is tuple:
        return _tuple(typing.get_args(wanted), value, where)
    if origin is dict:
        return _mapping(typing.get_args(wanted), value, where)
    if origin in (typing.Union, types.UnionType):
        return _optional(typing.get_args(wanted), value, where)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return _choice(wanted, value, where)
    return _plain(wanted, value, where)


def _dataclass(wanted: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        _fail(where, "an object", value)
    hints = typing.get_type_hints(wanted)
    given = {}
    for field in dataclasses.fields(wanted):
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in value:
            given[field.name] = _decode(hints[field.name], value[field.name], place)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise MalformedError(f"{place} is missing")
    return wanted(**given)


def _tuple(wanted: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _fail(where, "a list", value)
    if len(wanted) == 2 and wanted[1] is Ellipsis:
        wanted = (wanted[0],) * len(value)
    if len(wanted) != len(value):
        _fail(where, f"a list of {len(wanted)}", value)
    return tuple(
        _decode(kind, item, f"{where}[{at}]") for at, (kind, item) in enumerate(zip(wanted, value, strict=True))
    )


def _mapping(wanted: tuple[Any, ...], value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        _fail(where, "an object", value)
    return {key: _decode(wanted[1], item, f"{where}.{key}") for key, item in value.items()}


def _choice(wanted: type[enum.Enum], value: Any, where: str) -> enum.Enum:
    try:
        return wanted(value)
    except ValueError:
        _fail(where, f"one of {', '.join(str(one.value) for one in wanted)}", value)


def _optional(wanted: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in wanted:
        return None
    return _decode(next(one for one in wanted if one is not type(None)), value, where)


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _plain(wanted: Any, value: Any, where: str) -> Any:
    if wanted is float and type(value) is int:
        value = _float(value, where)
    if type(value) is not wanted:  # not isinstance: true is no count
        _fail(where, _NAMES.get(wanted, "something else"), value)
    if wanted is float and not math.isfinite(value):
        _fail(where, "a finite number", value)
    return value


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise MalformedError(f"{where} is too large") from None


def _fail(where: str, wanted: str, value: Any) -> NoReturn:
    got = json.dumps(value, default=str)
    raise MalformedError(f"{where or 'it'} should be {wanted}, not {got[:40]}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
