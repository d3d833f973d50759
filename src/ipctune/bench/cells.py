"""The cells of the matrix: mechanism × pattern × size × placement × option, what matters first.

What there is comes from what the core says of itself: no mechanism or option is named here.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipctune.bench import spec
from ipctune.bench.core import MechanismInfo
from ipctune.bench.sizes import parse_size, short
from ipctune.bench.spec import FREE, PATTERNS, Spec
from ipctune.errors import WrongUse

__all__ = [
    "COUNTS",
    "FULL_SIZES",
    "by_weight",
    "chosen",
    "option_field",
    "option_names",
    "patterns_of",
    "place",
    "placements",
    "specs",
    "variant",
    "variants",
    "with_options",
]

FULL_SIZES = (1, 64, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 16 << 20)
_COMMON = 8
"""The core names the common mechanisms first."""
_OPTION = 4
"""Steps by which an option comes later than the default: the less common mechanisms come before it."""
_FOR_ALL = ("policy", "work", "work-driver", "burst", "peers")
"""Options of `ipctune-core run` that belong to the load and to no mechanism."""
COUNTS: Mapping[str, Mapping[str, Any]] = {"burst": {"burst": 2000}, "fan-in": {"peers": 4}, "fan-out": {"peers": 4}}
"""Of the patterns that need one: more than the usual pipe holds of 64 B, and as many as a small pool of workers."""
_AXES = ("mechanism", "pattern", "size", "cpus", "rate", "gap_ns", "sysctls", "ipc_namespace")
"""Fields of a Spec that say which cell or load it is; the others are options."""


def placements(allowed: Iterable[int], asked: str | None) -> dict[str, tuple[int, int]]:
    """Where pairs run: `same`, `across` or `free`, or the two vCPUs asked for as `A,B`.

    What one vCPU can't show (across; free, which is the same) is not there. Raises WrongUse for a
    vCPU that we may not use.
    """
    cpus = sorted(allowed)
    first, second = cpus[0], cpus[-1] if len(cpus) < 2 else cpus[1]
    known = {"same": (first, first), "across": (first, second), "free": FREE}
    if asked is not None and asked not in known:
        return {asked: _pair(asked, cpus)}
    if len(cpus) < 2:
        known = {"same": (first, first)}
    if asked is None:
        return known
    if asked not in known:
        raise WrongUse(f"--cpus {asked} needs a second vCPU; there is one here")
    return {asked: known[asked]}


def place(allowed: Iterable[int], asked: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The same for several words; none stands for all that there are."""
    cpus = sorted(allowed)
    found: dict[str, tuple[int, int]] = {}
    for word in asked:
        found |= placements(cpus, word)
    return found or placements(cpus, None)


def _pair(asked: str, cpus: list[int]) -> tuple[int, int]:
    words = asked.split(",")
    try:
        first, second = (int(word) for word in words)
    except ValueError:
        raise WrongUse(f"--cpus {asked}", hint="two numbers, such as 0,1") from None
    for cpu in (first, second):
        if cpu not in cpus and cpu != -1:
            raise WrongUse(f"vCPU {cpu} can't be used here", hint=f"there are {cpus}")
    return first, second


def patterns_of(info: MechanismInfo, rate: float) -> tuple[str, ...]:
    """What the core says that the mechanism can do; a stream that would lose messages flat out needs a rate."""
    return tuple(pattern for pattern in info.patterns if pattern != "stream" or info.stream or rate)


def chosen(known: Iterable[MechanismInfo], asked: Iterable[str]) -> tuple[MechanismInfo, ...]:
    """The mechanisms that were asked for, in the core's order; no name stands for all. Raises WrongUse."""
    by_name = {info.name: info for info in known}
    names = set(asked)
    if unknown := sorted(names - by_name.keys()):
        raise WrongUse(f"no such mechanism: {unknown[0]}", hint=f"there are {', '.join(by_name)}")
    return tuple(info for name, info in by_name.items() if not names or name in names)


def specs(
    infos: Iterable[MechanismInfo],
    where: Mapping[str, tuple[int, int]],
    patterns: Iterable[str] = PATTERNS,
    *,
    size: int = 64,
    rate: float = 0.0,
) -> tuple[Spec, ...]:
    """The cells of one size: every mechanism that has the pattern, in every placement."""
    return tuple(
        Spec(info.name, pattern, size, cpus, 0.0 if pattern == "burst" else rate, **COUNTS.get(pattern, {}))
        for pattern in patterns
        for info in infos
        if pattern in patterns_of(info, rate)
        for cpus in where.values()
    )


def with_options(cells: Iterable[Spec], changes: Mapping[str, Any]) -> tuple[Spec, ...]:
    """The same cells with an option, without those whose pattern or size it does not go with."""
    return tuple(changed for cell in cells if (changed := _with(cell, changes)) is not None)


def _with(cell: Spec, changes: Mapping[str, Any]) -> Spec | None:
    try:
        return cell.replace(**changes)
    except WrongUse:
        return None


def variants(info: MechanismInfo, asked: Mapping[str, tuple[str, ...]], *, known: bool) -> Iterator[dict[str, Any]]:
    """What to change in a Spec for each option of the mechanism, one at a time; the first changes nothing.

    `asked` are values by the option's name. `known`: also those that the core lists (`waits` for an option `wait`) or
    `bench.spec` knows (`PAGES`), and every switch. Raises WrongUse for a value that the option can't take.
    """
    yield {}
    for name in (*info.options, *_FOR_ALL):
        field = option_field(name)
        if field is None:
            continue
        values = asked.get(name, _listed(info, name, field) if known and not asked else ())
        for text in values:
            value = _value(name, field, text)
            if value != field.default:
                yield {field.name: value}


def option_names(infos: Iterable[MechanismInfo]) -> tuple[str, ...]:
    """Options that one of the mechanisms takes and that a Spec can say."""
    told = dict.fromkeys((*(name for info in infos for name in info.options), *_FOR_ALL))
    return tuple(name for name in told if option_field(name) is not None)


def option_field(name: str) -> "dataclasses.Field[Any] | None":
    """The field of a Spec that says this option: by its name, or with its unit."""
    plain = name.replace("-", "_")
    known = {field.name: field for field in dataclasses.fields(Spec) if field.name not in _AXES}
    return known.get(plain) or known.get(f"{plain}_ns")


def _listed(info: MechanismInfo, name: str, field: "dataclasses.Field[Any]") -> tuple[str, ...]:
    if isinstance(field.default, bool):
        return ("yes",)
    plural = f"{name.removesuffix('s')}s".replace("-", "_")
    listed: tuple[str, ...] = getattr(info, plural, ()) or getattr(spec, plural.upper(), ())
    return listed


def _value(name: str, field: "dataclasses.Field[Any]", text: str) -> Any:
    if isinstance(field.default, bool):
        if text not in ("yes", "no"):
            raise WrongUse(f"--option {name}={text}", hint="yes or no")
        return text == "yes"
    if isinstance(field.default, str):
        return text
    number = parse_size(text)
    if number is None:
        raise WrongUse(f"--option {name}={text} is not a number", hint="65536 or 64K")
    return number


def variant(cell: Spec) -> str:
    """The options of a cell in short, such as `capacity=64K`; empty where all are the defaults."""
    words = []
    for field in dataclasses.fields(Spec):
        value = getattr(cell, field.name)
        if field.name in _AXES or value in (field.default, COUNTS.get(cell.pattern, {}).get(field.name)):
            continue
        if isinstance(value, bool):
            words.append(field.name)
        elif isinstance(value, int) and not field.name.endswith("_ns"):
            words.append(f"{field.name}={short(value)}")
        else:
            words.append(f"{field.name}={value}")
    return " ".join(words)


def by_weight(cells: Iterable[Spec]) -> tuple[Spec, ...]:
    """Each cell once, what matters first: common mechanisms before others, 64 B, 4 KiB, then the rest.

    Ping-pong comes before stream and that before others, the defaults before options, large messages last.
    """
    unique = list(dict.fromkeys(cells))
    names = {name: at for at, name in enumerate(dict.fromkeys(cell.mechanism for cell in unique))}
    return tuple(sorted(unique, key=lambda cell: (_tier(cell, names), _size_rank(cell.size))))


def _tier(cell: Spec, names: Mapping[str, int]) -> int:
    pattern = min(PATTERNS.index(cell.pattern), 2)
    return _size_rank(cell.size) + pattern + _OPTION * bool(variant(cell)) + names[cell.mechanism] // _COMMON


def _size_rank(size: int) -> int:
    return {64: 0, 4 << 10: 1}.get(size, 2 if size <= 64 << 10 else 3)
