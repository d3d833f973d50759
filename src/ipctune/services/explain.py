"""A line from a log, explained: the limits that can cause it, which is near now and who holds it, the smallest fix."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ipctune.host.finding import Finding
from ipctune.services.findings import finding_id
from ipctune.services.log_table import ENTRIES, Entry
from ipctune.services.model import Report, Use
from ipctune.services.remedies import shm_line

__all__ = ["Cause", "Explanation", "Meaning", "explain", "match"]

NEAR = 0.8
_SHOWN = 3
_LONGEST_LINE = 8192
_ASKED = re.compile(r"to (\d{1,18}) bytes|size=(\d{1,18})|shmget\([^,()]*, *(\d{1,18})\b")
_OF_ONE = ("kernel.shmmax", "kernel.msgmax")
_SOCKET = re.compile(r"unix:[/@]|/\S+\.sock\b")


@dataclass(frozen=True, slots=True)
class Cause:
    """A limit that can cause the line, when it does, and its fullest uses now; none where it can't be seen."""

    limit: str
    when: str
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a line means here. `near` are limits above 80 %, seen full, or too small for the bytes that were `asked` for
    where the line says how many; `findings` are those that bear on it.
    """

    id: str
    means: str
    causes: tuple[Cause, ...]
    near: tuple[Use, ...]
    findings: tuple[Finding, ...]
    fix: str
    wrong: str
    asked: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The meaning of `line`, None where it is not known; then `nearest` are example lines of those that are."""

    line: str
    meaning: Meaning | None
    nearest: tuple[str, ...]
    version: int = 1


def match(line: str) -> Entry | None:
    """The first entry of the table whose pattern is in the line."""
    return next((entry for entry in ENTRIES if entry.pattern.search(line[:_LONGEST_LINE])), None)


def explain(line: str, report: Report) -> Explanation:
    """What the line means on the machine of `report`."""
    entry = match(line)
    if entry is None:
        return Explanation(line, None, _nearest(line))
    causes = tuple(Cause(limit, when, _uses(line, entry, limit, report.uses)) for limit, when in entry.causes)
    asked = _asked(line)
    near = tuple(use for cause in causes for use in cause.uses if use.full >= NEAR or _too_small(use, asked))
    own = {finding_id(use) for use in near}
    found = tuple(one for one in report.findings if one.id in own or one.id.startswith(entry.findings or ("\0",)))
    fix = next((one.todo for one in found if one.id in own or one.severity == "fix"), "") or _own_fix(near) or entry.fix
    return Explanation(line, Meaning(entry.id, entry.means, causes, near, found, fix, entry.wrong, asked), ())


def _asked(line: str) -> int | None:
    """The bytes that the line says were asked for, as postgres and others write it."""
    found = _ASKED.search(line)
    return int(next(number for number in found.groups() if number)) if found else None


def _too_small(use: Use, asked: int | None) -> bool:
    """Whether what was asked for does not fit: into what is left, or into the size of one object."""
    if asked is None or use.unit != "bytes" or not use.value or use.unlimited:
        return False
    return asked > use.value if use.limit in _OF_ONE else (use.use or 0) + asked > use.value


def _own_fix(near: Iterable[Use]) -> str:
    """The line for this very /dev/shm, whose owner may be a container."""
    return next((shm_line(use) for use in near if use.limit == "/dev/shm"), "")


def _uses(line: str, entry: Entry, limit: str, uses: Iterable[Use]) -> tuple[Use, ...]:
    """The fullest uses of the limit; where the line names an object, those of that object alone."""
    of_limit = sorted((use for use in uses if use.limit == limit), key=lambda use: -use.full)
    named = [use for use in of_limit if _names(line, use)]
    if limit == "listen queue" and entry.id.startswith("unix"):
        of_limit = [] if _SOCKET.search(line) else [use for use in of_limit if use.what.startswith(("/", "@"))]
    return tuple((named or of_limit)[:_SHOWN])


def _names(line: str, use: Use) -> bool:
    """Whether the line holds the path or the address that the use is about."""
    what = use.what.partition(",")[0].removeprefix("to ")
    return ("/" in what or ":" in what) and re.search(rf"{re.escape(what)}(?![\w/])", line) is not None


def _nearest(line: str) -> tuple[str, ...]:
    """Examples with the most words in common, the likest first."""
    words = set(re.findall(r"\w{3,}", line.lower()))

    def alike(entry: Entry) -> tuple[int, float]:
        shared = words & set(re.findall(r"\w{3,}", entry.example.lower()))
        return len(shared), difflib.SequenceMatcher(None, line[:200].lower(), entry.example.lower()).ratio()

    return tuple(entry.example for entry in sorted(ENTRIES, key=alike, reverse=True)[:_SHOWN])
