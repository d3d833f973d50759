"""Rounds of blocks: one block of each candidate in a round, in random order, and who can't be measured at all."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ipctune.bench import core as measuring
from ipctune.bench.block import Block
from ipctune.bench.candidates import Candidate
from ipctune.bench.core import Refused
from ipctune.errors import IpctuneError, NotPossible, WrongUse

__all__ = ["Absent", "Measuring", "Rounds", "figure_of"]

_LEAST_NS = 1.0
_FIRST_GUESS_S = 0.05


@dataclass(frozen=True, slots=True)
class Absent:
    """A candidate without figures, and why: refused here (errno and the limit behind it), or `failed`."""

    label: str
    what: str
    errno_name: str | None = None
    limit: str | None = None
    failed: bool = False


def figure_of(block: Block) -> float:
    """What decides, in ns, lower is better: the median latency, or the time a message takes where there is none."""
    return max(_LEAST_NS, block.p50_ns if block.p50_ns is not None else 1e9 / block.rate)


@dataclass
class Rounds:
    """Blocks by candidate and round."""

    blocks: dict[str, dict[int, Block]] = field(default_factory=dict)
    count: int = 0

    def figures(self) -> dict[str, dict[int, float]]:
        """What decides of each."""
        return {label: {at: figure_of(b) for at, b in own.items()} for label, own in self.blocks.items()}

    def prices(self) -> dict[str, dict[int, float]]:
        """CPU and polling a message, in ns."""
        return {
            label: {at: max(_LEAST_NS, b.price_ns_per_message) for at, b in own.items()}
            for label, own in self.blocks.items()
        }

    def of(self, label: str) -> list[Block]:
        """All blocks of one."""
        return list(self.blocks.get(label, {}).values())


@dataclass
class Measuring:
    """What a whole run measures with: the lot, the core, who is absent, and what a block takes beside its seconds."""

    rng: random.Random
    core: str | Path | None = None
    tick: Callable[[str], None] = lambda _: None
    absent: dict[str, Absent] = field(default_factory=dict)
    wrong: WrongUse | None = None
    done: int = 0
    _beside_s: float = 0.0

    @property
    def overhead_s(self) -> float:
        """Seconds a block takes beside its measured part, so far."""
        return self._beside_s / self.done if self.done else _FIRST_GUESS_S

    def round(self, into: Rounds, among: Iterable[Candidate], seconds: float) -> None:
        """One block of each that is not absent, in random order."""
        order = [one for one in among if one.label not in self.absent]
        self.rng.shuffle(order)
        into.count += 1
        for one in order:
            block = self._block(one, seconds)
            if block is not None:
                into.blocks.setdefault(one.label, {})[into.count] = block
            self.tick(one.label)

    def _block(self, one: Candidate, seconds: float) -> Block | None:
        start = time.monotonic()
        try:
            return measuring.run(one.spec, seconds, self.rng.getrandbits(31), core=self.core)
        except Refused as no:
            self.absent[one.label] = Absent(one.label, no.what, no.errno_name, no.limit)
        except (WrongUse, NotPossible) as no:  # a core that does not take this, or no message in that time
            self.wrong = no if isinstance(no, WrongUse) and not one.options else self.wrong
            self.absent[one.label] = Absent(one.label, no.what)
        except IpctuneError as error:  # it hung, crashed or changed a payload: the others go on
            self.absent[one.label] = Absent(one.label, error.what, failed=True)
        finally:
            self.done += 1
            self._beside_s += max(0.0, time.monotonic() - start - seconds)
        return None
