"""What commands that measure share: the lock against another one, and a bar of blocks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipctune.errors import NotPossible

__all__ = ["alone", "block_progress"]


@contextmanager
def alone() -> Iterator[Any]:
    """Hold the lock of whoever measures: two measurements at once measure each other.

    Who sets something takes another one, so that a deadline or `revert` need not wait for us. Raises NotPossible
    with the other's pid. Where no state folder can be had, nothing can be locked. Gives the state, or None.
    """
    from ipctune.host.state import open_state
    from ipctune.journal.lock import measuring

    try:
        state = open_state()
    except NotPossible:
        state = None
    if state is None:
        yield None
        return
    with measuring(state):
        yield state


@contextmanager
def block_progress(steps: int, seconds: float) -> Iterator[Callable[[], None]]:
    """A bar with an estimate on a terminal's standard error; nothing elsewhere."""
    from ipctune.cli.progress import Progress

    done = 0
    with Progress() as progress:

        def tick() -> None:
            nonlocal done
            done += 1
            progress.tick(f"{done} of about {max(steps, done)} blocks")

        progress.stage("bench", seconds)
        yield tick
