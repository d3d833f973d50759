"""Colour on a terminal, plain text everywhere else."""

import os
from dataclasses import dataclass
from typing import TextIO

__all__ = ["PLAIN", "Style", "in_ascii"]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


@dataclass(frozen=True, slots=True)
class Style:
    """Paints text where `on`; else leaves it as it is."""

    on: bool = False

    @classmethod
    def auto(cls, stream: TextIO) -> "Style":
        """On where `stream` is a terminal that can show it and NO_COLOR (no-color.org) is not set."""
        dumb = os.environ.get("TERM", "dumb") == "dumb" or bool(os.environ.get("NO_COLOR"))
        return cls(not dumb and stream.isatty())

    def bold(self, text: str) -> str:
        """Strong: headings, what to read first."""
        return self._paint("bold", text)

    def dim(self, text: str) -> str:
        """Weak: what can be skipped."""
        return self._paint("dim", text)

    def red(self, text: str) -> str:
        """Bad: to fix, refused, worse."""
        return self._paint("red", text)

    def green(self, text: str) -> str:
        """Good: kept, better."""
        return self._paint("green", text)

    def yellow(self, text: str) -> str:
        """Worth a look."""
        return self._paint("yellow", text)

    def _paint(self, name: str, text: str) -> str:
        return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if self.on and text else text


PLAIN = Style()
_ASCII = str.maketrans({"µ": "u", "×": "x", "–": "-", "…": "...", "±": "+-"})


def in_ascii(text: str) -> str:
    """The same for a screen that shows nothing else."""
    return text.translate(_ASCII)
