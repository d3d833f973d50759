"""The knob that a user names: by its id, or as the screens call it."""

from ipctune.errors import WrongUse
from ipctune.knobs.registry import KNOBS

__all__ = ["knob_named"]


def knob_named(text: str) -> str:
    """The id. Raises WrongUse, with the nearest name where there is one."""
    if text in KNOBS:
        return text
    titles = {knob.title: knob.id for knob in KNOBS.values()}
    if text in titles:
        return titles[text]
    import difflib
    import textwrap

    near = difflib.get_close_matches(text, [*KNOBS, *titles], 1)
    meant = f"; did you mean {titles.get(near[0], near[0])}?" if near else ""
    names = textwrap.wrap(f"one of {', '.join(KNOBS)}", 76, break_on_hyphens=False)
    raise WrongUse(f"there is no knob {text}{meant}", hint="\n  ".join(names))
