"""Texts in columns: shortened at a word with an ellipsis, so that nobody takes a part for the whole."""

__all__ = ["fit"]


def fit(text: str, width: int) -> str:
    """At most `width` characters; cut within a word only where that would leave less than half of the room."""
    if len(text) <= width:
        return text
    room = text[: width - 1]
    words = room if text[width - 1] == " " else room.rpartition(" ")[0]
    kept = words if 2 * len(words) >= width else room
    return kept.rstrip(" ,;:([") + "…"
