"""What the user asks `ipctune bench` for, as a value."""

from dataclasses import dataclass

__all__ = ["DEFAULT_S", "QUICK_S", "Request"]

QUICK_S = 13.0
DEFAULT_S = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; None and empty stand for everything that there is.

    `placements` are `same`, `across`, `free` or `A,B`; `options` are names with their values; `full` is the whole
    matrix. `seconds` is None where all of it is measured, however long that takes.
    """

    mechanisms: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    placements: tuple[str, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rate: float = 0.0
    seconds: float | None = DEFAULT_S
    quick: bool = False
    full: bool = False
    curve_only: bool = False
    seed: int = 1

    @property
    def many(self) -> bool:
        """Whether it has more than the cells of one size, so that the time decides how many are reached."""
        return self.full or len(self.sizes) > 1 or bool(self.options)
