"""The list of tests that may be skipped: tests/skips.txt, one `glob<TAB>reason` a line."""

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

__all__ = ["listed", "parse", "read_skips"]

_FILE = Path(__file__).with_name("skips.txt")


@cache
def read_skips() -> tuple[str, ...]:
    """The globs of tests/skips.txt. Raises ValueError for a line without a reason."""
    return parse(_FILE.read_text(encoding="utf-8"))


def parse(text: str) -> tuple[str, ...]:
    """The globs of a list. Raises ValueError for a line without a reason."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return tuple(_glob(line) for line in lines)


def listed(test: str, globs: tuple[str, ...]) -> bool:
    """Whether one of `globs` covers the id `test`; a bracket stands for itself, as ids have them."""
    return any(fnmatchcase(test, glob.replace("[", "[[]")) for glob in globs)


def _glob(line: str) -> str:
    glob, tab, reason = line.partition("\t")
    if not (tab and glob.strip() and reason.strip()):
        raise ValueError(f"tests/skips.txt: no reason in: {line}")
    return glob.strip()
