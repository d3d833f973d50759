"""Kills the tuner, its watchdog, or both, at one system call after another, and looks whether everything is back.

    python -m benchmarks.kills [--spread KILLS] [--only MODE]

Run as root. Settings are real ones of this kernel, those of IPC in a namespace of our own. The calls are killed by
strace(1)'s injection, just before the kernel carries them out; the run without a kill ends the series. With
--spread about that many kills, evenly; else all of them at the tuner's calls and at every write. Prints a table for
docs/kills.md; exit 1 if one failed.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.kills_driver import VALUES
from benchmarks.kills_said import misreport, misreported_keep
from benchmarks.kills_table import Killed, table

from ipctune.errors import IpctuneError
from ipctune.host.state import State, open_state
from ipctune.journal import launch
from ipctune.journal.restore import Result
from ipctune.journal.session import revert, tuning
from ipctune.journal.status import read_status
from ipctune.journal.store import UNDO, Journal
from ipctune.knobs.model import Part
from ipctune.knobs.registry import KNOBS
from ipctune.report.status import render

__all__ = ["MODES", "main", "series"]

PATIENCE = 6.0  # a loaded machine is slow; what it took is in the table
FOREIGN = ("fs.pipe-max-size", "4194304")
CALLS = ("write", "fsync", "rename", "unlink", "openat")
_SPARSE = 37  # of `openat`: most are Python's imports
_ORDERS = "its orders are still there"
_OTHERS = "which neither it nor we ever set"
MODES = ("tuner", "watchdog", "both", "lease", "foreign", "tune")
"""Who is killed. `lease`: both, and only a lease was kept. `foreign`: both, and someone else changes a value before we
look. `tune`: the real command."""
_ROOT = Path(__file__).resolve().parents[1]
_TUNE = (
    "-m ipctune tune --anyway --goal latency --only haltpoll --only resume-latency --only cpuidle-governor"
    " --only autogroup --yes"
    " --time 20s --pairs 1 --block 0.02 --rest 0 --hold"
)


def main() -> None:
    """Run the series that the command line asks for, print the table."""
    options = _options()
    if options.inside != os.getppid():
        command = [sys.executable, "-m", "benchmarks.kills", *sys.argv[1:], "--inside", str(os.getpid())]
        sys.exit(subprocess.run(["unshare", "-i", *command], cwd=_ROOT, check=False).returncode)
    with tempfile.TemporaryDirectory(prefix="ipctune-kills-") as folder:
        os.environ["IPCTUNE_STATE"] = folder + "/state"
        found = list(_all(options.only or MODES[:-1], options.spread, options.hold))
    print("\n".join(table(found)))
    for killed in found:
        if killed.wrong:
            print(f"{killed.mode}, {killed.call} {killed.number}: {killed.wrong}")
    sys.exit(any(killed.wrong for killed in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spread", type=int, default=0, help="about that many kills in all")
    parser.add_argument("--hold", type=float, default=2.0, help="seconds until the deadline of a run that lives")
    parser.add_argument("--only", choices=MODES, action="append")
    parser.add_argument("--inside", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def _all(modes: Sequence[str], spread: int, hold: float) -> Iterator[Killed]:
    state = open_state()
    assert state is not None
    # A share of the kills for each series, then points evenly over it; its length comes from a run that is counted.
    share = max(2, spread // (len(modes) * 3)) if spread else 0
    for mode in modes:
        for call in CALLS[:3] if spread else CALLS:
            step = max(1, -(-_length(state, mode, call) // share)) if share else _step(mode, call)
            yield from series(state, mode, call, step, hold)


def _step(mode: str, call: str) -> int:
    """Every write, and every call of the tuner alone; where it tells nothing new every third or fifth."""
    if call == "openat":
        return _SPARSE
    if mode == "foreign":
        return 5
    return 12 if mode == "tune" else 1 if call == "write" or mode == "tuner" else 3


def series(state: State, mode: str, call: str, step: int, hold: float) -> Iterator[Killed]:
    """Kill at the first such call, and at every `step`-th after it, until a run ends by itself."""
    number = 1
    while True:
        killed = one(state, mode, call, number, hold)
        disturbed = 0
        while killed.wrong and _OTHERS in killed.wrong and disturbed < 5:
            print(f"{mode} {call} {number}, repeated: {killed.wrong}", file=sys.stderr)
            disturbed += 1
            killed = replace(one(state, mode, call, number, hold), disturbed=disturbed)
        yield killed
        print(f"{mode} {call} {number}: {killed.wrong or 'all back'}", file=sys.stderr)
        if not killed.died:
            return
        number += step


def one(state: State, mode: str, call: str, number: int, hold: float) -> Killed:
    """One run, one kill; everything is back afterwards, and whatever was not is put back by hand."""
    journal = Journal(state)
    parts = dict(_parts())
    originals = {name: part.read() or "" for name, part in parts.items()}
    trace = state.path / "trace"
    trace.unlink(missing_ok=True)
    died = _run(state, mode, call, number, hold, trace)
    start = time.monotonic()
    try:
        wrong = _judge(journal, mode, number, parts, originals)
    except IpctuneError as error:
        wrong = f"{error.what}; {error.hint}"
    took = time.monotonic() - start
    if wrong:
        _by_hand(journal, parts, originals)
    if mode == "watchdog":
        died = trace.exists() and "killed by SIGKILL" in trace.read_text()
    return Killed(mode, call, number, died, wrong, took)


def _parts() -> Iterator[tuple[str, Part]]:
    for knob, value in VALUES.items():
        parts = KNOBS[knob].parts()
        yield from ((f"{knob} {name}", parts[name]) for name in value if name in parts)


def _run(state: State, mode: str, call: str, number: int, hold: float, trace: Path) -> bool:
    """Run the tuner to its end or its death; whether it was killed."""
    kill = f"strace -D -q -A -o {shlex.quote(str(trace))} -e trace={call} -e inject={call}:signal=SIGKILL:when={number}"
    what = [*_TUNE.split(), f"{hold}s"] if mode == "tune" else _driver(mode, hold, kill)
    command = [*(() if mode == "watchdog" else shlex.split(kill)), sys.executable, *what]
    environment = os.environ | {"PYTHONPATH": str(_ROOT / "src"), "IPCTUNE_STATE": str(state.path)}
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120
    )
    return done.returncode == -9


def _driver(mode: str, hold: float, tracer: str) -> list[str]:
    """The driver's command line; the watchdog is traced, or dies with the tuner."""
    before = {"tuner": "", "watchdog": tracer}.get(mode, "setpriv --pdeathsig KILL")
    only = ["cpu-dma-latency"] if mode == "lease" else []
    return ["-m", "benchmarks.kills_driver", str(hold), "1", before, *only]


def _judge(journal: Journal, mode: str, number: int, parts: Mapping[str, Part], originals: Mapping[str, str]) -> str:
    """What is wrong after that kill, or nothing."""
    if mode in ("tuner", "tune"):
        wrong = _await_back(journal, parts, originals)
        # Killed between its orders and the watchdog's start, with nothing changed: whoever looks has to see that.
        return _after_both(journal, mode, number, parts, originals) if wrong == _ORDERS else wrong
    if mode == "watchdog":
        # The tuner lived on, and started another one or took everything back; the last of them dies, or restores.
        _await_end(journal)
        if not journal.entries() and journal.active() is None:
            return _differences(journal, parts, originals)
    return _after_both(journal, mode, number, parts, originals)


def _await_back(journal: Journal, parts: Mapping[str, Part], originals: Mapping[str, str]) -> str:
    """The watchdog has to see to it."""
    end = time.monotonic() + PATIENCE
    while wrong := _differences(journal, parts, originals):
        if time.monotonic() > end:
            return wrong
        time.sleep(0.01)
    return ""


def _await_end(journal: Journal) -> None:
    end = time.monotonic() + PATIENCE
    while launch.status(journal.state) is not None and time.monotonic() < end:
        time.sleep(0.01)


def _after_both(
    journal: Journal, mode: str, number: int, parts: Mapping[str, Part], originals: Mapping[str, str]
) -> str:
    """Nobody is left: looking has to say so, and the next command that writes, or `undo.sh`, puts it back."""
    away = [name for name, part in parts.items() if part.read() != originals[name]]
    entries = journal.entries()
    if away and not entries:
        return f"no journal entry knows them: {_differences(journal, parts, originals)}"
    screen = render(read_status(journal))
    if entries and ("revert" not in screen or str(journal.state.path / UNDO) not in screen):
        return f"status does not say what is left, and how to undo it: {screen}"
    if said := misreport(journal):
        return said
    foreign = _foreign(journal, parts) if mode == "foreign" else ""
    back = {**originals, foreign: FOREIGN[1]} if foreign else originals
    ways = ("revert", "undo.sh", "a new run", "keep")
    way = ways[number % (3 if mode == "foreign" else 4)]
    if way == "keep" and (said := misreported_keep(journal)):
        return said
    named = _put_back(journal, way)
    if foreign and FOREIGN[1] not in named:
        return f"{way} did not name the value that someone else set: {named}"
    wrong = _differences(journal, parts, back)
    if foreign:
        parts[foreign].write(originals[foreign])
    return wrong and f"after {way}: {wrong}"


def _foreign(journal: Journal, parts: Mapping[str, Part]) -> str:
    """Someone else sets one of the values; the part's name where the journal can tell it from ours."""
    knob, text = FOREIGN
    entry = next((e for e in journal.entries() if e.knob == knob), None)
    if entry is None or entry.ours(knob) is None:
        return ""
    name = f"{knob} {knob}"
    parts[name].write(text)
    return name


def _put_back(journal: Journal, way: str) -> str:
    """Put everything back in one of the ways there are; what it said."""
    said = ""
    if way == "undo.sh":
        script = journal.state.path / UNDO
        done = (
            subprocess.run(["/bin/sh", str(script)], capture_output=True, text=True, check=False)
            if script.exists()
            else None
        )
        said = done.stdout if done else ""
    elif way == "a new run":
        with tuning(journal) as session:
            return " ".join(f"{p.now}" for p in session.recovered if p.result is Result.CHANGED)
    outcomes = revert(journal)
    return said + " ".join(f"{p.now}" for p in outcomes if p.result is Result.CHANGED)


def _differences(journal: Journal, parts: Mapping[str, Part], originals: Mapping[str, str]) -> str:
    """What is not as it was, in words."""
    now = {name: part.read() for name, part in parts.items()}
    wrong = [
        f"{name} is {now[name]}, was {was}" + ("" if now[name] in (*_ours(name), FOREIGN[1]) else f", {_OTHERS}")
        for name, was in originals.items()
        if now[name] != was
    ]
    wrong += [f"{entry.knob} is still in the journal" for entry in journal.entries()]
    wrong += [_ORDERS] if journal.active() is not None else []
    running = launch.status(journal.state)
    wrong += [f"the watchdog runs still (pid {running.pid})"] if running else []
    return "; ".join(wrong)


def _ours(name: str) -> tuple[str, ...]:
    knob, part = name.split(" ", 1)
    return (VALUES[knob][part],)


def _by_hand(journal: Journal, parts: Mapping[str, Part], originals: Mapping[str, str]) -> None:
    revert(journal)
    for name, part in parts.items():
        if part.read() != originals[name]:
            part.write(originals[name])


def _length(state: State, mode: str, call: str) -> int:
    """How many such calls the process that is to be killed makes."""
    trace = state.path / "count"
    count = f"strace -D -qq -A -o {shlex.quote(str(trace))} -e trace={call}"
    before = count if mode == "watchdog" else ""
    only = ["cpu-dma-latency"] if mode == "lease" else []
    command = [sys.executable, "-m", "benchmarks.kills_driver", "0.1", "1", before, *only]
    if mode != "watchdog":
        command = [*shlex.split(count), *command]
    subprocess.run(command, cwd=_ROOT, env=os.environ | {"PYTHONPATH": str(_ROOT / "src")}, check=True, timeout=120)
    _await_back(Journal(state), {}, {})
    lines = len(trace.read_text().splitlines())
    trace.unlink()
    return lines


if __name__ == "__main__":
    main()
