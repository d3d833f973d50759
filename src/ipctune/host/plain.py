"""Typed values as plain ones, for JSON."""

import dataclasses
from collections.abc import Mapping

__all__ = ["plain"]


def plain(value: object) -> object:
    """Dataclasses as dicts, sets as sorted lists, tuples as lists, keys as text; the rest as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(str(item) for item in value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
