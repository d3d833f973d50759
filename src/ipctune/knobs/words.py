"""Settings of one word in a file that shows all its words: `always [never]`, or `A NO_B C`."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ipctune.errors import NotPossible
from ipctune.knobs.files import FilePart

__all__ = ["ChoicePart", "FeaturePart"]


@dataclass(frozen=True, slots=True)
class ChoicePart:
    """A file that shows every choice, the present one in brackets, and takes one of them."""

    path: str

    @property
    def where(self) -> str:
        return self.path

    def read(self) -> str | None:
        """The word in brackets."""
        words = (FilePart(self.path).read() or "").split()
        return next((word[1:-1] for word in words if word.startswith("[") and word.endswith("]")), None)

    def write(self, text: str) -> None:
        """Choose a word. Raises NotPossible with the kernel's reason, or for a word that the file does not offer."""
        if text not in (FilePart(self.path).read() or "").replace("[", "").replace("]", "").split():
            raise NotPossible(f"{self.path} does not offer {text!r}")
        FilePart(self.path).write(text)

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """A `case` on the file's text: the original is there, one of ours is, or someone else's."""
        return _undo(self.path, f"[{original}]", None if ours is None else [f"[{one}]" for one in ours], original)


@dataclass(frozen=True, slots=True)
class FeaturePart:
    """One switch of a file that lists switches, each as `NAME` or `NO_NAME`, and takes either word."""

    path: str
    name: str

    @property
    def where(self) -> str:
        return self.path

    def read(self) -> str | None:
        """`NAME` where it is on, `NO_NAME` where it is off, None where the file has neither."""
        words = (FilePart(self.path).read() or "").split()
        return next((word for word in words if word in (self.name, f"NO_{self.name}")), None)

    def write(self, text: str) -> None:
        """Switch it. Raises NotPossible with the kernel's reason, or for any other word."""
        if text not in (self.name, f"NO_{self.name}"):
            raise NotPossible(f"{self.path}: {text!r} is not {self.name} on or off")
        FilePart(self.path).write(text)

    def undo_lines(self, original: str, ours: Sequence[str] | None) -> list[str]:
        """As for a choice; each word stands between blanks."""
        return _undo(self.path, f" {original} ", None if ours is None else [f" {one} " for one in ours], original)


def _undo(path: str, original: str, ours: Sequence[str] | None, text: str) -> list[str]:
    """One line of sh: nothing to do, put back, or left alone."""
    quoted = shlex.quote(path)
    others = [mark for mark in dict.fromkeys(ours or ()) if mark != original]
    put = f"printf %s {shlex.quote(text)} >{quoted} || failed=1 ;;"
    mine = "*) " + put if ours is None else "|".join(f"*{shlex.quote(mark)}*" for mark in others) + ") " + put
    left = "" if ours is None else f' *) echo "left alone: {path}, which ipctune never set so" ;;'
    shown = f'" $(squeeze "$(cat {quoted} 2>/dev/null)") "'
    return [f"case {shown} in *{shlex.quote(original)}*) ;; {mine if ours is None or others else ''}{left} esac"]
