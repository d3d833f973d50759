"""What watching costs, beside bpftrace and strace that do the same job: interleaved, in one run.

    python -m benchmarks.tracing [--rounds 9] [--seconds 0.5] [--json]

A pipe ping-pong of the core on one vCPU is watched by each in turn, in random order: its p50 over that of the round's
unwatched one; the resident memory of who watches, and the time from its start to its first figure. Who is not there is
named. Exit 0 whatever the ratios are; 3 without root, BTF or the measuring core.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which

from ipctune.bench.core import run
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError

_PATIENCE_S = 20.0
_CALLS = ("read", "write")
_BPFTRACE = 'BEGIN { printf("ready\\n"); } ' + " ".join(
    f'tracepoint:syscalls:sys_enter_{call} /comm == "ipctune-core"/ {{ @at[tid] = nsecs; }} '
    f"tracepoint:syscalls:sys_exit_{call} /@at[tid]/ "
    f'{{ @ns["{call}", pid] = hist(nsecs - @at[tid]); delete(@at[tid]); }}'
    for call in _CALLS
)
_FIRST = _BPFTRACE.replace('printf("ready\\n");', "") + ' interval:ms:20 { printf("ready\\n"); }'


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who watches: its command, and the word in its output that says that it does."""

    name: str
    command: tuple[str, ...]
    first: tuple[str, ...] = ()
    needs: str = ""


def watchers() -> Iterator[Watcher]:
    """All of them; where `needs` is not there it is left out."""
    ours = (sys.executable, "-m", "ipctune")
    often, slow = ("--interval", "0.02", "--json"), ("--interval", "0.25", "--json")
    for name, words in (
        ("trace latency", ("trace", "latency")),
        ("graph", ("graph",)),
        ("trace pipes", ("trace", "pipes")),
    ):
        command = (*ours, *words, "--comm", "ipctune-core")
        yield Watcher(name, (*command, *slow), (*command, *often))
    # Some machines have not mounted what it reads; a mount namespace of its own keeps that to itself.
    mounted = ("unshare", "-m", "sh", "-c", 'mount -t tracefs none /sys/kernel/tracing; exec bpftrace -B none -e "$0"')
    yield Watcher("bpftrace", (*mounted, _BPFTRACE), (*mounted, _FIRST), "bpftrace")


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians: p50 with it over p50 without, its resident memory, ms to its first figure."""

    name: str
    slower: float
    lowest: float
    highest: float
    resident_mb: float
    first_ms: float | None


@contextmanager
def watching(command: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """As soon as it has said something; ended by Ctrl-C, as a user does."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        _until(process.stdout.readline, lambda line: bool(line) and not line.startswith("Attaching"))
        os.set_blocking(process.stdout.fileno(), False)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _until(read: Callable[[], str], done: Callable[[str], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not done(read()):
        if time.monotonic() > end:
            raise IpctuneError("it said nothing")


def block(seconds: float, seed: int) -> float:
    """p50 of a pipe ping-pong on the first vCPU, in ns."""
    cpu = min(os.sched_getaffinity(0))
    return run(Spec("pipe", cpus=(cpu, cpu)), seconds, seed).p50_ns or float("nan")


def resident_mb(pid: int) -> float:
    """VmRSS of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def first_ms(command: tuple[str, ...]) -> float:
    """From its start to its first figure."""
    start = time.monotonic()
    with watching(command):
        return 1000 * (time.monotonic() - start)


def measure(rounds: int, seconds: float, rng: random.Random) -> list[Cost]:
    """All watchers, interleaved."""
    there = [one for one in watchers() if not one.needs or which(one.needs)]
    ratios: dict[str, list[float]] = {one.name: [] for one in there}
    memory: dict[str, list[float]] = {one.name: [] for one in there}
    for number in range(rounds):
        alone = block(seconds, number)
        for one in rng.sample(there, len(there)):
            with watching(one.command) as process:
                ratios[one.name].append(block(seconds, number) / alone)
                memory[one.name].append(resident_mb(process.pid))
    return [
        Cost(
            one.name,
            statistics.median(ratios[one.name]),
            min(ratios[one.name]),
            max(ratios[one.name]),
            statistics.median(memory[one.name]),
            statistics.median(first_ms(one.first) for _ in range(5)) if one.first else None,
        )
        for one in there
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a block")
    parser.add_argument("--seed", type=int, default=1, help="of the order within each round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        costs = measure(options.rounds, options.seconds, random.Random(options.seed))
    except IpctuneError as error:
        print(f"tracing: {error.what}", file=sys.stderr)
        return int(error.exit_code)
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs]))
        return 0
    print("| watched by | a pipe round trip on one vCPU | resident, MB | first figure, ms |")
    print("| --- | --- | --- | --- |")
    for cost in costs:
        first = "-" if cost.first_ms is None else f"{cost.first_ms:.0f}"
        spread = f"{cost.slower:.2f} ({cost.lowest:.2f} … {cost.highest:.2f})"
        print(f"| {cost.name} | {spread} | {cost.resident_mb:.0f} | {first} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
