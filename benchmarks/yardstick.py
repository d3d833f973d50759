"""Hold the measuring core against a bare ping-pong: do both see the same round trip?

Both run pinned to one vCPU, in pairs, in random order within a pair, so that what drifts on the
machine hits both alike. Printed is the median over the pairs of p50 (core) / p50 (yardstick).

    python benchmarks/yardstick.py [--pairs 15] [--seconds 0.3] [--json] [--check]
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOUND = 0.03
"""How far the median ratio may be from 1."""

MECHANISMS = {"pipe": "pipe", "unix": "unix-stream", "tcp": "tcp"}
"""The yardstick's word for each of the core's mechanisms that it knows."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Core against yardstick for one mechanism; p50 in ns, the medians of all pairs."""

    mechanism: str
    pairs: int
    core_p50_ns: float
    yardstick_p50_ns: float
    ratio: float
    lowest: float
    highest: float
    deviation: float


def find_core() -> Path:
    """`IPCTUNE_CORE`, else a build in the clone."""
    chosen = os.environ.get("IPCTUNE_CORE")
    candidates = [Path(chosen)] if chosen else sorted(HERE.parent.glob("build/*/native/ipctune-core"))
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    sys.exit("yardstick: no ipctune-core; build it, or name it in IPCTUNE_CORE")


def compile_yardstick(folder: Path) -> Path:
    """The yardstick, built as its own first lines say."""
    target = folder / "pingpong"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O2", "-o", target, HERE / "yardstick.c"], check=True)
    return target


def core_p50(core: Path, mechanism: str, size: int, cpu: int, seconds: float) -> float:
    """One block of the core."""
    command = [str(core), "run", "--mechanism", MECHANISMS[mechanism], "--size", str(size)]
    command += ["--cpus", f"{cpu},{cpu}", "--seconds", str(seconds)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return float(answer["latency"]["p50"])


def yardstick_p50(yardstick: Path, mechanism: str, size: int, cpu: int, rounds: int) -> float:
    """One run of the yardstick."""
    command = [str(yardstick), mechanism, str(rounds), str(size), str(cpu), str(cpu)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return float(answer["p50_ns"])


def compare(core: Path, yardstick: Path, mechanism: str, options: argparse.Namespace) -> Agreement:
    """`options.pairs` interleaved pairs of one mechanism."""
    size, cpu, seconds = options.size, options.cpu, options.seconds
    first = yardstick_p50(yardstick, mechanism, size, cpu, 2000)
    rounds = max(1000, int(seconds * 1e9 / first))
    found: dict[str, list[float]] = {"core": [], "yardstick": []}
    for _ in range(options.pairs):
        for arm in random.sample(("core", "yardstick"), 2):
            if arm == "core":
                found[arm].append(core_p50(core, mechanism, size, cpu, seconds))
            else:
                found[arm].append(yardstick_p50(yardstick, mechanism, size, cpu, rounds))
    ratios = [ours / theirs for ours, theirs in zip(found["core"], found["yardstick"], strict=True)]
    middle = statistics.median(ratios)
    return Agreement(
        MECHANISMS[mechanism],
        options.pairs,
        statistics.median(found["core"]),
        statistics.median(found["yardstick"]),
        middle,
        min(ratios),
        max(ratios),
        abs(middle - 1),
    )


def table(rows: list[Agreement]) -> str:
    """The rows as text."""
    lines = [f"{'mechanism':12} {'pairs':>5} {'core µs':>8} {'bare µs':>8} {'ratio':>7}  lowest-highest"]
    for row in rows:
        lines.append(
            f"{row.mechanism:12} {row.pairs:5} {row.core_p50_ns / 1e3:8.2f} {row.yardstick_p50_ns / 1e3:8.2f}"
            f" {row.ratio:7.3f}  {row.lowest:.3f}-{row.highest:.3f}"
        )
    return "\n".join(lines)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Core against bare ping-pong, on one vCPU.")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--cpu", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1, help="of the order within each pair")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help=f"exit 1 where off by more than {BOUND}")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Compare, print, and judge if asked to."""
    options = parse(arguments)
    random.seed(options.seed)
    core = find_core()
    with tempfile.TemporaryDirectory() as folder:
        yardstick = compile_yardstick(Path(folder))
        rows = [compare(core, yardstick, mechanism, options) for mechanism in MECHANISMS]
    print(json.dumps([asdict(row) for row in rows]) if options.json else table(rows))
    return int(options.check and any(row.deviation > BOUND for row in rows))


if __name__ == "__main__":
    sys.exit(main())
