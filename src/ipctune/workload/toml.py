"""A workload of the user's own in TOML: how a server starts, when it is ready, and what client measures it.

docs/workloads.md shows the whole of it. Keys that are not known and values of a wrong type are refused.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ipctune.errors import WrongUse
from ipctune.workload.metric import reader

__all__ = ["Plan", "parse"]

_MOST_CONNECTIONS = 10_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SIGNALS = ("TERM", "INT", "QUIT", "HUP", "KILL")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the file says. Texts for the shell and paths may hold {here} (the file's folder), {folder} and {port};
    the client's also {connections}, {rate}, {seconds} and {seed}. One `ready_*` is set, none without a server.
    """

    name: str
    client: str
    metric: str
    lower_is_better: bool = False
    start: str = ""
    stop: str = "TERM"
    user: str | None = None
    ready_socket: str = ""
    ready_port: str | int = ""
    ready_command: str = ""
    ready_timeout: float = 20.0
    connections: tuple[int, ...] = (1,)
    rates: tuple[float, ...] = ()
    timeout: float = 60.0
    here: str = "/"


def parse(text: str, where: str = "the file") -> Plan:
    """The plan in a TOML text. Raises WrongUse with the place and what belongs there."""
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise WrongUse(f"{where} is no TOML: {error}", hint="docs/workloads.md shows one") from None
    try:
        return _checked(_flat(found))
    except _Wrong as error:
        raise WrongUse(f"{where}: {error}", hint="docs/workloads.md names every key") from None


class _Wrong(ValueError):
    """A key or a value that is refused, in words."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or not value.strip():
        raise _Wrong("should be a text that is not empty")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("should be true or false")
    return value


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("should be a number")
    if not 0 < value < 1e9 or not isfinite(value):
        raise _Wrong("should be above 0 and below a thousand million")
    return float(value)


def _port(value: Any) -> str | int:
    if value == "{port}":
        return "{port}"
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise _Wrong('should be a port from 1 to 65535, or "{port}"')
    return value


def _list(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= 8:
        raise _Wrong("should be one to eight numbers")
    return values


def _connections(value: Any) -> tuple[int, ...]:
    for one in _list(value):
        if isinstance(one, bool) or not isinstance(one, int) or not 0 < one <= _MOST_CONNECTIONS:
            raise _Wrong(f"should be whole numbers from 1 to {_MOST_CONNECTIONS:,}")
    return tuple(_list(value))


def _rates(value: Any) -> tuple[float, ...]:
    return tuple(_positive(one) for one in _list(value))


def _signal(value: Any) -> str:
    if value not in _SIGNALS:
        raise _Wrong(f"should be one of {', '.join(_SIGNALS)}")
    return str(value)


def _name(value: Any) -> str:
    if not _NAME.fullmatch(_text(value)):
        raise _Wrong("should be 1 to 32 of a-z, 0-9, - and _")
    return str(value)


_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", _name),
    "server.start": ("start", _text),
    "server.stop": ("stop", _signal),
    "server.user": ("user", _text),
    "server.ready.socket": ("ready_socket", _text),
    "server.ready.port": ("ready_port", _port),
    "server.ready.command": ("ready_command", _text),
    "server.ready.timeout": ("ready_timeout", _positive),
    "client.command": ("client", _text),
    "client.metric": ("metric", _text),
    "client.lower_is_better": ("lower_is_better", _truth),
    "client.connections": ("connections", _connections),
    "client.rates": ("rates", _rates),
    "client.timeout": ("timeout", _positive),
}
_TABLES = ("server", "server.ready", "client")


def _flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Keys with their whole path. Raises _Wrong for one that is not known."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        path = f"{above}{key}"
        if "." in key:  # "server.start" in quotes is one key, and none of ours
            raise _Wrong(f"there is no key {path[:60]!r}")
        if path in _TABLES:
            if not isinstance(value, dict):
                raise _Wrong(f"{path} should be a table: [{path}]")
            found |= _flat(value, f"{path}.")
        elif path in _KEYS:
            found[path] = value
        else:
            raise _Wrong(f"there is no key {path[:60]!r}")
    return found


def _checked(found: Mapping[str, Any]) -> Plan:
    values: dict[str, Any] = {}
    for path, value in found.items():
        name, check = _KEYS[path]
        try:
            values[name] = check(value)
        except _Wrong as error:
            raise _Wrong(f"{path} {error}") from None
    for path in ("name", "client.command", "client.metric"):
        if path not in found:
            raise _Wrong(f"{path} is missing")
    _together(values)
    try:
        reader(values["metric"])
    except WrongUse as error:
        raise _Wrong(error.what.replace("--metric", "client.metric")) from None
    return Plan(**values)


def _together(values: Mapping[str, Any]) -> None:
    """What one key asks of another."""
    checks = [name for name in ("ready_socket", "ready_port", "ready_command") if name in values]
    if "start" in values and len(checks) != 1:
        raise _Wrong("server.ready should say one of socket, port and command")
    if "start" not in values and any(name.startswith(("ready", "stop", "user")) for name in values):
        raise _Wrong("server.start is missing")
    if "rates" in values and "{rate}" not in values["client"]:
        raise _Wrong("client.rates is there, and {rate} stands nowhere in client.command")
    if "rates" not in values and "{rate}" in values["client"]:
        raise _Wrong("{rate} stands in client.command, and client.rates is missing")
    if "rates" in values and len(values.get("connections", ())) > 1:
        raise _Wrong("client.connections should be one number where there are client.rates")
    if len(values.get("connections", ())) > 1 and "{connections}" not in values["client"]:
        raise _Wrong("client.connections has several, and {connections} stands nowhere in client.command")
