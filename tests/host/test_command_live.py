"""Real commands on this kernel: what helps them is found by their own metric, and nothing of them is left."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.host.journaled import environment, reverted
from tests.host.lever import FOUND, KNOB, SETTING, slower
from tests.host.test_scenarios import Silent, present

from ipctune.errors import WorkloadFailed
from ipctune.host import read_host
from ipctune.host.core import find_core
from ipctune.journal.session import exclusive
from ipctune.journal.store import Journal
from ipctune.tune.loop import tune
from ipctune.tune.model import Goal, Outcome, Settings, Trial, TuneResult
from ipctune.workload.command import Command
from ipctune.workload.model import CommandLine

_ROOT = Path(__file__).resolve().parents[2]
_SLEEP = f"{41 + os.getpid() % 1000}.125"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with reverted(tmp_path, SETTING) as found:
        yield found


def core(options: str = "--cpus 0,1", seconds: float = 0.03) -> str:
    """The measuring core as a command: it prints its latencies as JSON."""
    return f"{find_core()} run --mechanism pipe {options} --seconds {seconds}"


def tuned(journal: Journal, line: CommandLine, *only: str, goal: Goal = Goal.LATENCY) -> TuneResult:
    """A short run that the user narrowed to these settings."""
    asked = Settings(
        command=line, only=only, seconds=20.0, pairs=14, rest=0.06, idle=0.5, beside=0.03, hold=60.0, goal=goal
    )
    with exclusive(journal):
        return tune(read_host(quick=True), asked, journal, Silent())


def trial(result: TuneResult, knob: str) -> Trial:
    return next(t for t in result.trials if t.knob == knob)


LATENCY = CommandLine(core(), "json:latency.p50", lower_is_better=True)


def helped() -> str:
    """A command that a change of the setting makes faster."""
    return core(f"--cpus 0,1 --work {slower()}")


def test_what_helps_is_kept(journal: Journal) -> None:
    """By a metric that is better when it is higher; the other way round is every other test's here."""
    result = tuned(journal, CommandLine(helped(), r'"messages":\s*(\d+)'), KNOB, goal=Goal.BALANCED)
    assert trial(result, KNOB).outcome is Outcome.KEPT
    assert trial(result, KNOB).loads[0].higher_is_better
    assert list(result.kept) == [KNOB]


def test_the_command_on_one_vcpu_ends_as_advice(journal: Journal) -> None:
    # Across two vCPUs where it may use two: left alone, the scheduler decides anew in each run.
    line = core("--cpus $([ $(nproc) = 1 ] && echo -1,-1 || echo 0,1)")
    result = tuned(journal, dataclasses.replace(LATENCY, command=line), "placement")
    assert trial(result, "placement").outcome is Outcome.ADVICE
    assert result.kept == {}


def test_one_that_pins_itself_refuses_the_placement(journal: Journal) -> None:
    assert trial(tuned(journal, LATENCY, "placement"), "placement").outcome is Outcome.REFUSED


def test_nothing_is_kept_for_pure_noise(journal: Journal) -> None:
    noise = CommandLine("echo t=$(od -An -N2 -tu2 /dev/urandom)9", r"t=\s*(\d+)", lower_is_better=True)
    assert tuned(journal, noise, KNOB).kept == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('echo \'{"latency": {"p50": 5}}\'', "times in a row"),
        (f"test $(cat {SETTING}) = {FOUND} && {core()}", "exit code 1"),
        (f"test $(cat {SETTING}) = {FOUND} || sleep {_SLEEP}; {core()}", "did not end within 1 s"),
    ],
)
def test_one_that_lies_fails_or_hangs_in_a_trial_ends_the_run_with_everything_back(
    journal: Journal, line: str, why: str
) -> None:
    with pytest.raises(WorkloadFailed, match=why):
        tuned(journal, CommandLine(line, "json:latency.p50", lower_is_better=True, timeout=1.0), KNOB)
    assert SETTING.read_text().strip() == FOUND
    assert journal.active() is None
    assert sleeping() == []


def test_private_has_the_limits_of_the_machine(tmp_path: Path) -> None:
    shows = "cat /proc/sys/kernel/msgmax /proc/sys/kernel/sem > limits; echo t=1"
    line = CommandLine(shows, "t=(.)", private=True, folder=str(tmp_path))
    with present(Path("/proc/sys/kernel/msgmax"), "8193"):
        with Command(line, first=20.0) as command:
            command.sample(command.loads[0], 0.3, 1)
        assert command.notes == ()
        assert (tmp_path / "limits").read_text() == "8193\n" + Path("/proc/sys/kernel/sem").read_text()


def sleeping() -> list[str]:
    """Processes of the commands of these tests that still sleep."""
    wanted = f"sleep\0{_SLEEP}\0".encode()
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _text(path) == wanted]


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def running(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`ipctune tune` in the middle of its first trial, a setting in force and a command asleep."""
    sleeps = f"(setsid setsid sleep {_SLEEP} &); sleep {_SLEEP} & {core()}"
    hangs = f"test $(cat {SETTING}) = {FOUND} || sleep {_SLEEP}"
    words = ["tune", "--command", f"{sleeps}; {hangs}", "--metric", "json:latency.p50", "--lower-is-better"]
    words += ["--only", KNOB, "--time", "46s", "--rest", "0.1", "--seed", "1", "--timeout", "60s"]
    made = subprocess.Popen(
        [sys.executable, "-P", "-m", "ipctune", *words],
        env=environment(tmp_path / "state"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: made.poll() is not None or (len(sleeping()) == 3 and SETTING.read_text().strip() != FOUND))
    assert made.poll() is None
    yield made
    made.kill()
    made.wait()


def until(what: Callable[[], bool]) -> None:
    """Wait for what comes soon."""
    end = time.monotonic() + 40
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_when_the_tuner_ends_in_a_run_the_command_is_gone_and_settings_are_back(
    running: "subprocess.Popen[bytes]", number: signal.Signals
) -> None:
    running.send_signal(number)
    running.wait(40)
    until(lambda: sleeping() == [] and SETTING.read_text().strip() == FOUND)
