"""Kinds of argument that several commands take."""

import re
from typing import TYPE_CHECKING, Any

import click

__all__ = ["DURATION", "SETTING", "SIZE", "SIZES"]

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # click 8.1, Debian's, has no subscript


class _Duration(_Type):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """`90`, `90s`, `3m`, `24h`, `2d` → seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*(s|m|min|h|d)?", str(value).strip())
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no duration above 0; 90s, 3m, 24h, 2d are (a number alone is seconds)", param, ctx)
        return float(match[1]) * {"s": 1, None: 1, "m": 60, "min": 60, "h": 3600, "d": 86400}[match[2]]


class _Size(_Type):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`64`, `4K`, `1M` → bytes, 1 B to 16 MiB."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,9})\s*(B|K|KiB|M|MiB)?", str(value).strip(), re.IGNORECASE)
        size = 0
        if match is not None:
            size = int(match[1]) * {"K": 1 << 10, "M": 1 << 20}.get((match[2] or "B")[0].upper(), 1)
        if not 1 <= size <= 16 << 20:
            self.fail(f"{value!r} is not a message size; 64, 4K, 1M are (1 B to 16 MiB)", param, ctx)
        return size


class _Sizes(_Type):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """`64`, `64,4K`, `64-1M` → bytes, 1 B to 16 MiB."""
        from ipctune.bench.sizes import parse_sizes

        if isinstance(value, tuple):
            return value
        sizes = parse_sizes(str(value))
        if sizes is None:
            self.fail(f"{value!r} is not a message size; 64, 4K, 1M, 64,4K or 64-1M are (1 B to 16 MiB)", param, ctx)
        return sizes


class _Setting(_Type):
    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[str, ...]]:
        """`capacity=64K,1M` → ("capacity", ("64K", "1M"))."""
        if isinstance(value, tuple):
            return value
        name, equals, values = str(value).partition("=")
        words = tuple(word.strip() for word in values.split(","))
        if not (name and equals and all(words)):
            self.fail(f"{value!r} is not NAME=VALUE; capacity=64K,1M is", param, ctx)
        return name, words


DURATION, SETTING, SIZE, SIZES = _Duration(), _Setting(), _Size(), _Sizes()
