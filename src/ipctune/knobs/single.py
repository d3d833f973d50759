"""A knob that is one file of the machine."""

import os
from collections.abc import Callable, Sequence

from ipctune.host.model import Host
from ipctune.knobs.files import FilePart, allow
from ipctune.knobs.model import Cause, Hints, Kind, Knob, Lasting, Part, Parts, Scope, Value

__all__ = ["Texts", "file_knob"]

Texts = Callable[[Host, Hints], Sequence[str]]
"""What is worth writing into the file on this host, best first; nothing where the knob is of no use."""


def file_knob(
    name: str,
    path: str,
    *,
    title: str,
    helps: Cause,
    texts: Texts,
    why_not: Callable[[Host], str],
    price: str,
    reach: str,
    source: str,
    part: str = "",
    make: Callable[[str], Part] = FilePart,
    kind: Kind = Kind.FILES,
    scope: Scope = Scope.HOST,
    lasting: Lasting = Lasting.NONE,
    settle: float = 0.0,
    since: tuple[int, int] = (0, 0),
    not_tried: str = "",
    needs_history: bool = False,
) -> Knob:
    """A setting in one file, which goes on the allow-list; its one part is `part`, or `name`.

    Without the file it has no part. It can't be asked for by pathlib: below a folder that we may not enter that raises.
    """
    allow(path)
    only = part or name

    def parts() -> Parts:
        return {only: make(path)} if os.path.lexists(path) else {}

    def candidates(host: Host, hints: Hints) -> Sequence[Value]:
        return tuple({only: text} for text in texts(host, hints))

    return Knob(
        id=name,
        title=title,
        kind=kind,
        scope=scope,
        helps=frozenset({helps}),
        parts=parts,
        candidates=candidates,
        why_not=why_not,
        price=price,
        reach=reach,
        source=source,
        lasting=lasting,
        settle=settle,
        since=since,
        not_tried=not_tried,
        needs_history=needs_history,
    )
