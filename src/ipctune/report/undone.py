"""What was put back, in words. Standard library alone."""

from collections.abc import Sequence

from ipctune.journal.restore import Restored, Result

__all__ = ["render"]


def render(outcomes: Sequence[Restored], *, whose: str = "") -> str:
    """A line a setting; nothing to do is said as well, with `whose` settings were looked for."""
    lines = [_line(part) for part in outcomes if part.result is not Result.HISTORY]
    history = len(outcomes) - len(lines)
    if history:
        lines.append(f"{history} settings of an earlier boot or another namespace: nothing to restore")
    return "\n".join(lines) if lines else f"nothing{whose} was set"


def _line(part: Restored) -> str:
    where = part.where or f"{part.knob} {part.part}"
    if part.result is Result.CHANGED:
        return f"left alone: {where} is {part.now}, changed by someone else (the original was {part.original})"
    if part.result is Result.FAILED:
        return f"NOT RESTORED: {where}: {part.why} (the original was {part.original})"
    if part.result in (Result.REMOVED, Result.ENDED, Result.GONE):
        return f"{part.result}: {where}"
    return f"{part.result}: {where} = {part.original}"
