"""What a program printed, for whoever has to find out why it failed."""

__all__ = ["last_lines"]

_LINES, _LONGEST = 5, 200


def last_lines(output: str) -> str:
    """The last lines that a program printed, for the eye: no control characters."""
    lines = [line for line in output.replace("\r", "\n").split("\n") if line.strip()][-_LINES:]
    shown = ["".join(c if c.isprintable() else "?" for c in line)[:_LONGEST] for line in lines]
    return "its last lines:" + "".join(f"\n    {line}" for line in shown) if shown else "it printed nothing"
