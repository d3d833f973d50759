"""Who else sets the same thing at boot, and whether our file would lose against theirs.

sysctl.d(5): files of all folders in one order by name, the last line of a key wins, and a line with a pattern counts
only for keys that no line names. /etc/sysctl.conf counts as last: procps reads it so. tmpfiles.d(5): of two lines
for one path, or for one pattern, the first counts and the other is dropped if they differ in anything but their type;
paths and patterns have their turn in the order in which each was first named, f+ (here: F) before all of them (tried
with systemd 252). tuned applies its profile after both.
"""

import fnmatch
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

from ipctune.journal import tuned
from ipctune.journal.lasting import SYSCTL, TMPFILES, Plan
from ipctune.knobs.model import normal

__all__ = ["Conflict", "conflicts"]

_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib", "lib")
_EXCLUDED = "nothing (a key behind a lone minus is left alone)"
_PATTERN = frozenset("*?[")
_DROPS_OTHERS = frozenset("wxXrR")  # of the lines of these types for one path, the first counts
_WRITES = frozenset("wF")
_GLOBS = _DROPS_OTHERS | frozenset("ezZmtThHaA")  # types whose path is a pattern: in one order with w


@dataclass(frozen=True, slots=True)
class Conflict:
    """A line of someone else's that would win over ours at boot."""

    key: str
    ours: str
    theirs: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line} sets {self.key} to {self.theirs}, against our {self.ours}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of tmpfiles.d(5): type (one letter), path, argument; `fields` are mode, user, group, age and argument."""

    kind: str
    target: str
    argument: str
    fields: tuple[str, ...]
    number: int
    file: str = ""


def conflicts(plan: Plan, root: Path = Path("/")) -> list[Conflict]:
    """Every line that would undo the plan at boot. A line with our own value is no conflict."""
    wanted = {key: value for key, value, _ in _sysctls(plan.files.get(SYSCTL, ""))}
    writes = {line.target: line.argument for line in _tmpfiles(plan.files.get(TMPFILES, ""))}
    found = [
        *_sysctl_conflicts(wanted, root),
        *_tmpfiles_conflicts(plan.files.get(TMPFILES, ""), root),
        *_tuned_conflicts(wanted | writes, root),
    ]
    return list(dict.fromkeys(c for c in found if normal(c.theirs) != normal(c.ours)))


def _sysctl_conflicts(wanted: Mapping[str, str], root: Path) -> Iterator[Conflict]:
    ours, own = Path(SYSCTL).name, root / "etc/sysctl.conf"
    later = [path for name, path in sorted(_by_name(root, "sysctl.d").items()) if name > ours]
    yield from _last_lines(wanted, later, root)
    yield from _last_lines(wanted, [own], root)


def _last_lines(wanted: Mapping[str, str], files: list[Path], root: Path) -> Iterator[Conflict]:
    """The last line of each key: the ones before it are overridden themselves."""
    last: dict[str, Conflict] = {}
    for path in files:
        for key, value, number in _sysctls(_text(path)):
            if key in wanted:
                last[key] = Conflict(key, wanted[key], value, _shown(path, root), number)
    yield from last.values()


def _tmpfiles_conflicts(text: str, root: Path) -> Iterator[Conflict]:
    """Who writes last to each of our paths. Lines of one path or pattern stand where its first one does."""
    writes = {line.target: line.argument for line in _tmpfiles(text)}
    files = [(name, _shown(path, root), _text(path)) for name, path in _by_name(root, "tmpfiles.d").items()]
    counts: dict[tuple[bool, str], list[_Line]] = {}
    for _, shown, content in sorted([*files, (Path(TMPFILES).name, TMPFILES, text)]):
        for line in _tmpfiles(content):
            kept = counts.setdefault((line.kind != "F", line.target), [])
            if line.kind in _DROPS_OTHERS | _WRITES and all(line.fields == other.fields for other in kept):
                kept.append(replace(line, file=shown))
    last: dict[str, Conflict] = {}
    for line in (line for key in sorted(counts, key=itemgetter(0)) for line in counts[key]):
        for mine, wanted in writes.items():
            if mine == line.target or (line.kind == "w" and fnmatch.fnmatchcase(mine, line.target)):
                value = line.argument or f"what a line of type {line.kind} does"
                found = Conflict(mine, wanted, value, line.file, line.number)
                last[mine] = found if line.kind in _WRITES else last.get(mine, found)
    yield from last.values()


def _tuned_conflicts(ours: Mapping[str, str], root: Path) -> Iterator[Conflict]:
    for theirs in tuned.settings(root):
        for key, value in ours.items():
            if theirs.matches(key) and tuned.would_change(theirs.value, value):
                file = f"{_shown(theirs.file, root)} (tuned, active)"
                yield Conflict(key, value, theirs.value, file, theirs.line)


def _by_name(root: Path, kind: str) -> dict[str, Path]:
    """The files of all folders by name, ours left out; one in /etc hides one of the same name elsewhere."""
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in sorted((root / folder / kind).glob("*.conf")):
            found.setdefault(path.name, path)
    found.pop(Path(SYSCTL).name if kind == "sysctl.d" else Path(TMPFILES).name, None)
    return found


def _sysctls(text: str) -> Iterator[tuple[str, str, int]]:
    """Key (with dots), value and line number; a pattern counts only for keys that no line names."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        key, sign, value = line.removeprefix("-").partition("=")
        if line.startswith(("#", ";")) or _PATTERN & set(key):
            continue
        if sign:
            yield _dotted(key.strip()), value.strip(), number
        elif line.startswith("-"):
            yield _dotted(key.strip()), _EXCLUDED, number


def _dotted(key: str) -> str:
    """As systemd reads it: whichever of slash and dot comes first separates, the other belongs to a name."""
    first = next((sign for sign in key.lstrip("/") if sign in "./"), ".")
    return key if first == "." else key.lstrip("/").translate(str.maketrans("./", "/."))


def _tmpfiles(text: str) -> Iterator[_Line]:
    """The lines that decide who writes when."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        fields = line.split(maxsplit=6)
        if len(fields) < 2 or line.startswith("#"):
            continue
        kind, rest = _kind(fields[0]), [*fields[2:], *["-"] * 5][:5]
        if kind in _GLOBS - _WRITES or (kind in _WRITES and len(fields) == 7):  # systemd drops a write of nothing
            argument = fields[6] if len(fields) == 7 else ""
            yield _Line(kind, _plain_path(fields[1]), argument, (*rest[:4], argument), number)


def _kind(field: str) -> str:
    """The type's letter without its modifiers; F is what f+ was called, a file that is truncated and written."""
    return "F" if field.startswith("f") and "+" in field else field[0]


def _plain_path(text: str) -> str:
    """Without quotes and doubled slashes."""
    try:
        plain = "".join(shlex.split(text))
    except ValueError:
        plain = text
    return "/" + "/".join(part for part in plain.split("/") if part not in ("", "."))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _shown(path: Path, root: Path) -> str:
    """The file as a user would name it: the one that a link leads to, if that lies below the root."""
    real = path.resolve()
    try:
        return "/" + str(real.relative_to(root.resolve()))
    except ValueError:
        return "/" + str(path.relative_to(root))
