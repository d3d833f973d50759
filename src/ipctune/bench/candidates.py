"""What a recommendation chooses among: every mechanism that the core lists, and its options at values worth a try.

Names and options come from the core. Here is only which value of an option may be worth measuring for a message.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ipctune.bench import matrix
from ipctune.bench.cells import option_field, with_options
from ipctune.bench.core import MechanismInfo
from ipctune.bench.simplicity import Rank, rank
from ipctune.bench.spec import Spec

__all__ = ["Candidate", "Options", "plain_ones", "variants"]

Options = tuple[tuple[str, str], ...]
"""Pairs of an option, as the core calls it, and its value."""

_ROOM = 1 << 20
"""Bytes of a larger pipe, buffer or queue: what an ordinary user may ask of a pipe (pipe-max-size)."""
_LARGE = 16 << 10
"""A message beyond this fills a good part of the 64 KiB that a pipe holds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mechanism with the options that differ from its plain form."""

    spec: Spec
    options: Options = ()

    @property
    def label(self) -> str:
        """`pipe`, `pipe capacity=1048576`; unique in a run."""
        return " ".join([self.spec.mechanism, *(f"{name}={value}" for name, value in self.options)])

    @property
    def rank(self) -> Rank:
        """Smaller is simpler."""
        return rank(self.spec.mechanism, self.options)


def plain_ones(infos: Sequence[MechanismInfo], like: Spec) -> tuple[Candidate, ...]:
    """Every mechanism that has the pattern, without options, in the core's order; the rest is as in `like`."""
    cells = matrix.specs(infos, {"here": like.cpus}, (like.pattern,), size=like.size, rate=like.rate)
    return tuple(Candidate(like.replace(mechanism=cell.mechanism)) for cell in cells)


def variants(candidate: Candidate, info: MechanismInfo) -> Iterator[Candidate]:
    """The candidate with one option each, where the core has the option for it and a value is worth a try."""
    for option in info.options:
        worth = _WORTH.get(option)
        for value in worth(info, candidate.spec) if worth else ():
            field = option_field(option)
            for changed in with_options((candidate.spec,), {field.name: value}) if field else ():
                yield Candidate(changed, ((option, str(value)),))


def _one_way(spec: Spec) -> bool:
    return spec.pattern not in ("ping-pong", "connect")


def _waits(info: MechanismInfo, _spec: Spec) -> Sequence[str]:
    """All ways to wait but the first, which is the plain one."""
    return info.waits[1:]


_WORTH: dict[str, Callable[[MechanismInfo, Spec], Sequence[int | str]]] = {
    "capacity": lambda _, spec: (_ROOM,) if _one_way(spec) or spec.size > _LARGE else (),
    "wait": _waits,
    "write-size": lambda _, spec: (8192,) if _one_way(spec) and spec.size > _LARGE else (),
    "batch": lambda _, spec: (16,) if spec.pattern == "stream" and not spec.rate else (),
    "pages": lambda _, spec: ("huge",) if spec.size > _LARGE else (),
    "slots": lambda _, spec: (256,) if _one_way(spec) and spec.size <= _LARGE else (),
    "spin": lambda _, spec: () if _one_way(spec) else (20_000,),
}
"""An option, and its values that are worth a try. What decides: a full queue counts where messages go one way or are
large, a batch where nothing waits for an answer, huge pages where much is copied (KiB of it)."""
