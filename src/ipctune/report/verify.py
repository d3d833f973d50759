"""The answer of `ipctune verify`."""

from ipctune.report.figures import figures
from ipctune.report.style import Style
from ipctune.tune.verify import Verified

__all__ = ["render"]


def render(found: Verified, style: Style) -> str:
    """The word first, then the figures."""
    if found.word == "changed":
        return f"{style.yellow('changed by someone else')}: {', '.join(found.changed)}; revert leaves it alone"
    paint = style.green if found.word == "still helps" else style.yellow
    pairs = f" ({found.pairs} pairs)" if found.pairs else ""
    return "\n".join(
        [f"{paint(found.word)}: {found.why}{pairs}", *(f"   {line}" for line in figures(found.loads, found.goal))]
    )
