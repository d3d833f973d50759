"""Hold our figures against those of other programs: perf bench, hackbench, and bare loops in the manner of lmbench.

    python -m benchmarks.agreement [--pairs 12] [--seconds 0.25] [--only GROUP ...] [--json]

Pairs of blocks in random order with a rest between; a row is the ratio of the two, ours over theirs in nanoseconds a
round trip or message, with the 95 % interval that the judge finds. Both are placed alike: on one vCPU, across two,
or where the scheduler puts them. A program that is not there is named, with its package, and the rest goes on.
Exit 0 whatever the ratios are; 3 without the measuring core.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from benchmarks.agreement_programs import Place
from benchmarks.agreement_rows import GROUPS, Row, rows
from benchmarks.agreement_said import Unreadable

from ipctune.bench import core
from ipctune.errors import IpctuneError, NotPossible
from ipctune.judge.confirm import confirm
from ipctune.judge.flips import pairs_of
from ipctune.judge.order import pair_orders

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Agreement:
    """One row: medians of each arm in ns, and `ratio` (ours over theirs) with its interval, None for no bound.

    `others`: vCPUs that were busy (steal included) in the rests, when nothing of ours ran. None without rests.
    """

    group: str
    where: str
    theirs: str
    ours: str
    pairs: int
    theirs_ns: float
    ours_ns: float
    ratio: float
    low: float | None
    high: float | None
    others: float | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A row that could not be measured, and why."""

    group: str
    where: str
    theirs: str
    ours: str
    why: str


def compare(row: Row, options: argparse.Namespace, rng: random.Random) -> Agreement:
    """All pairs of a row. Raises IpctuneError where an arm fails."""
    arms = {"A": row.measure_theirs(options.seconds), "B": row.measure_ours(options.seconds)}
    found: dict[str, list[float]] = {"A": [], "B": []}
    others = 0.0
    for order in pair_orders(rng, options.pairs):
        for arm in order:
            others += _rest(options.rest)
            found[arm].append(arms[arm]())
    shift = confirm(pairs_of(found["A"], found["B"]), 1 - CONFIDENCE)
    ratios = [None if x is None else 1 + x for x in (shift.low, shift.high)]
    middle = [statistics.median(found[arm]) for arm in "AB"]
    names = (row.group, row.where, row.theirs, row.ours)
    share = others / (2 * options.pairs * options.rest) if options.rest else None
    return Agreement(*names, shift.pairs, middle[0], middle[1], 1 + shift.effect, ratios[0], ratios[1], share)


def _rest(seconds: float) -> float:
    """Wait; returns the seconds of all vCPUs that others used meanwhile."""
    before = _busy_s()
    time.sleep(seconds)
    return _busy_s() - before


def _busy_s() -> float:
    """Seconds for which vCPUs were busy or stolen so far (proc_stat(5))."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - sum(ticks[3:5])) / os.sysconf("SC_CLK_TCK")


def tried(row: Row, options: argparse.Namespace, rng: random.Random) -> Agreement | Missing:
    """One row, or why there is none."""
    try:
        return compare(row, options, rng)
    except (IpctuneError, Unreadable, ValueError) as error:
        hint = getattr(error, "hint", "")
        return Missing(row.group, row.where, row.theirs, row.ours, f"{error}{f' ({hint})' if hint else ''}")


def chosen(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """The rows that were asked for, on what vCPUs there are."""
    cpus = sorted(os.sched_getaffinity(0))
    places: dict[str, Place] = {"one vCPU": (cpus[0], cpus[0])}
    if len(cpus) > 1:
        places["across"] = (cpus[0], cpus[1])
    found = [row for row in rows(folder, places) if row.group in options.only]
    return iter(sorted(found, key=lambda row: GROUPS.index(row.group)))


def line(found: Agreement | Missing) -> str:
    """One row of the Markdown table."""
    names = f"| {found.theirs} | {found.ours} | {found.where} |"
    if isinstance(found, Missing):
        return f"{names} not measured: {found.why} | | | |"
    ends = " … ".join("?" if end is None else f"{end:.3f}" for end in (found.low, found.high))
    others = "" if found.others is None else f"{found.others:.2f}"
    return f"{names} {_us(found.theirs_ns)} | {_us(found.ours_ns)} | {found.ratio:.3f} ({ends}) | {others} |"


def _us(ns: float) -> str:
    return f"{ns / 1e3:.2f}" if ns < 1e4 else f"{ns / 1e3:.1f}"


def measure(options: argparse.Namespace) -> None:
    """Measure and print, each row as it comes."""
    rng = random.Random(options.seed)
    measured = []
    if not options.json:
        print("| theirs | ours | vCPUs | theirs, µs | ours, µs | ours / theirs | others, vCPU |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="ipctune-agreement-") as folder:
        for row in chosen(Path(folder), options):
            measured.append(tried(row, options, rng))
            if not options.json:
                print(line(measured[-1]), flush=True)
    if options.json:
        print(json.dumps([asdict(found) for found in measured], indent=1))


def main(arguments: list[str] | None = None) -> int:
    """Compare and print."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        core.mechanisms()
        measure(options)
    except NotPossible as error:
        print(f"agreement: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12, help="6 or more give an interval")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a block")
    parser.add_argument("--rest", type=float, default=0.2, help="seconds before each block")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--seed", type=int, default=1, help="of the order within each pair")
    parser.add_argument("--json", action="store_true")
    found = parser.parse_args(arguments)
    if found.pairs < 1 or not 0.01 <= found.seconds <= 10 or not 0 <= found.rest <= 10:
        parser.error("--pairs from 1, --seconds 0.01 to 10, --rest 0 to 10")
    return found


if __name__ == "__main__":
    sys.exit(main())
