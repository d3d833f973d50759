"""A whole run of `ipctune bench --recommend`: one question, or a map over sizes and patterns that share the time."""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ipctune.bench import matrix
from ipctune.bench.candidates import Candidate, plain_ones
from ipctune.bench.cells import COUNTS, chosen
from ipctune.bench.core import mechanisms
from ipctune.bench.recommend import MESSAGES, CutShort, LeverSwitch, Run, Shares, Told
from ipctune.bench.recommendation import Answer, Lever, Recommendation
from ipctune.bench.rounds import Measuring
from ipctune.bench.spec import PAIRS, Spec
from ipctune.errors import WrongUse

__all__ = ["DEFAULT_S", "MAP_S", "MAP_SIZES", "Asked", "estimate_s", "recommend"]

DEFAULT_S = 30.0
MAP_S = 180.0
MAP_SIZES = (64, 1 << 10, 4 << 10, 64 << 10, 1 << 20)
_PATIENCE = 2.0
"""How many times the time that was given may be needed before that is refused."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The user's message. `cpus` is `same`, `across`, `free` or `A,B`; several sizes or patterns make a map."""

    patterns: tuple[str, ...] = PAIRS[:1]
    sizes: tuple[int, ...] = (64,)
    rate: float = 0.0
    work_ns: int = 0
    cpus: str | None = None
    mechanisms: tuple[str, ...] = ()
    seconds: float = DEFAULT_S
    seed: int = 1
    is_map: bool = False

    @property
    def cells(self) -> tuple[tuple[str, int], ...]:
        """Pattern and size of each answer."""
        return tuple((pattern, size) for pattern in self.patterns for size in self.sizes)


def estimate_s(asked: Asked, *, lever: bool) -> float:
    """Seconds that the run takes."""
    return asked.seconds * (1 + (Shares().lever if lever else 0.0))


def recommend(
    asked: Asked,
    told: Told,
    *,
    core: str | Path | None = None,
    about: Lever | None = None,
    switch: LeverSwitch | None = None,
) -> Recommendation:
    """Measure. After Ctrl-C, or where something else needed the machine, the result holds what there is.

    `about` is what is known of the idle lever; it is used where `switch` is given. Raises WrongUse for what the core
    doesn't know or no mechanism can do, NotPossible without a core.
    """
    started, begin = datetime.now(UTC), time.monotonic()
    infos = chosen(mechanisms(core=core), asked.mechanisms)
    pair = _pair(asked.cpus)
    measuring = Measuring(random.Random(asked.seed), core)
    found = _Found([], about)
    try:
        for number, (pattern, size) in enumerate(asked.cells):
            counts = COUNTS.get(pattern, {})
            like = Spec("pipe", pattern, size, pair, asked.rate, work_ns=asked.work_ns, **counts)
            left = (asked.seconds - (time.monotonic() - begin)) / (len(asked.cells) - number)
            candidates = plain_ones(infos, like)
            measuring.absent.clear()
            screen = _Cell(told, f"{number + 1}/{len(asked.cells)}", left) if asked.is_map else told
            run = Run(candidates, infos, max(left, 0.0), measuring, screen, switch, measures_again=not asked.is_map)
            _check_time(candidates, asked, left)
            found.take(run)
    except KeyboardInterrupt:
        found.interrupted = True
    except CutShort as cut:
        found.stopped = cut.why
    return Recommendation(
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=time.monotonic() - begin,
        seed=asked.seed,
        kernel=os.uname().release,
        vcpus=os.cpu_count() or 1,
        rate=asked.rate,
        work_ns=asked.work_ns,
        placement=Spec(cpus=pair).placement,
        answers=tuple(found.answers),
        lever=found.lever,
        is_map=asked.is_map,
        interrupted=found.interrupted,
        stopped=found.stopped,
    )


@dataclass
class _Found:
    """Answers as they come; one that was cut short is kept as far as it came."""

    answers: list[Answer]
    lever: Lever | None
    interrupted: bool = False
    stopped: str = ""

    def take(self, run: Run) -> None:
        try:
            run.go()
        finally:
            if run.candidates:
                self.answers.append(run.answer())
            if self.lever is not None and run.lever is not None:
                table, gain = run.with_lever()
                self.lever = replace(self.lever, table=table, gain=gain, failed=run.lever_failed)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A map's stages are its cells; what happens in one is a tick."""

    told: Told
    name: str
    seconds: float

    def stage(self, name: str, seconds: float) -> None:
        if name == "look":
            self.told.stage(self.name, self.seconds)

    def tick(self, text: str) -> None:
        self.told.tick(text)


def _pair(cpus: str | None) -> tuple[int, int]:
    """Not pinned unless asked for: that is how a program runs. On one vCPU that is the same."""
    where = matrix.placements(os.sched_getaffinity(0), cpus)
    return where.get("free") or next(iter(where.values()))


def _check_time(candidates: Sequence[Candidate], asked: Asked, seconds: float) -> None:
    """Raises WrongUse where a look alone would take far longer than there is time."""
    look = len(candidates) * (MESSAGES / asked.rate if asked.rate else 0.0)
    if look > _PATIENCE * seconds:
        needed = look / Shares().look * len(asked.cells)
        raise WrongUse(
            f"at {asked.rate:g}/s a block takes {MESSAGES / asked.rate:.0f} s, and a look at {len(candidates)} "
            f"mechanisms {look:.0f} s",
            hint=f"--time {needed:.0f}s, or some mechanisms alone (--mechanism)",
        )
