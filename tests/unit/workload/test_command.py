"""A command as a workload, with real processes: its figure, its price, its failures, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.workload.command import IDENTICAL, Command
from ipctune.workload.model import CommandLine, Sample

_SOURCE = Path(__file__).resolve().parents[3] / "src"
_BUSY = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """A number of seconds to sleep that nobody else sleeps: processes that sleep so are of this test."""
    found = f"{30 + os.getpid() % 1000}.{time.monotonic_ns() % 10**9:09}"
    yield found
    assert sleeping(found) == []


def sleeping(mark: str) -> list[int]:
    """Processes that sleep for `mark` seconds."""
    wanted = f"sleep\0{mark}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def until(found: Any, what: str) -> Any:
    """Wait for something that comes soon."""
    end = time.monotonic() + 20
    while not (value := found()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return value


def command(line: str, tmp_path: Path, **changes: Any) -> Command:
    asked = {"command": line, "metric": r"t=(\S+)", "folder": str(tmp_path), **changes}
    return Command(CommandLine(**asked), first=20.0)


def once(line: str, tmp_path: Path, **changes: Any) -> Sample:
    with command(line, tmp_path, **changes) as made:
        return made.sample(made.loads[0], 0.3, 1)


def failure(line: str, tmp_path: Path, **changes: Any) -> tuple[str, str]:
    with pytest.raises(WorkloadFailed) as error:
        once(line, tmp_path, **changes)
    return error.value.what, error.value.hint


def test_the_figure_is_in_what_it_prints_wherever_it_prints_it(tmp_path: Path) -> None:
    assert once("echo t=5; echo t=7.5 >&2", tmp_path).figure == 7.5
    assert once("echo t=8 > /dev/stderr", tmp_path).figure == 8


def test_it_runs_where_the_user_is_with_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "figure").write_text("t=3\n")
    assert once("cat; cat figure", tmp_path).figure == 3


def test_the_price_is_cpu_of_the_whole_tree(tmp_path: Path) -> None:
    idle = once("sleep 0.05; echo t=1", tmp_path)
    waited = once(f"sh -c '{_BUSY}'; echo t=1", tmp_path)
    abandoned = once(f"(setsid sh -c '{_BUSY}; echo t=1; sleep 60' &) ; sleep 0.3; echo t=1", tmp_path)
    assert waited.cpu_ns > idle.cpu_ns
    assert abandoned.cpu_ns > idle.cpu_ns
    assert (idle.messages, idle.buckets) == (0, None)
    assert idle.seconds > 0


def test_what_is_prepared_runs_until_the_clean_up_and_costs_what_it_does_meanwhile(tmp_path: Path, mark: str) -> None:
    found = once(
        f"[ -e ready ] && echo t=1; {_BUSY}",
        tmp_path,
        prepare=f"touch ready; sleep {mark} & echo $! > pid",
        cleanup="kill $(cat pid) && touch ended",
    )
    assert found.figure == 1
    assert (tmp_path / "ended").exists()


def test_prepare_and_clean_up_go_around_each_run(tmp_path: Path) -> None:
    with command(
        "echo t=1; echo run >> log", tmp_path, prepare="echo before >> log", cleanup="echo after >> log"
    ) as made:
        for _ in range(2):
            made.sample(made.loads[0], 0.3, 1)
    assert (tmp_path / "log").read_text().split() == ["before", "run", "after"] * 2


def test_a_long_output_is_read_to_its_end(tmp_path: Path) -> None:
    assert once("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo t=9", tmp_path).figure == 9


# What goes wrong.


def test_a_command_that_fails_is_told_with_its_last_lines(tmp_path: Path) -> None:
    what, hint = failure("echo one; echo 'no \033[31msuch server' >&2; exit 7", tmp_path)
    assert what == "the command failed: exit code 7"
    assert "no ?[31msuch server" in hint
    assert failure("kill -SEGV $$", tmp_path)[0] == "the command failed: ended by signal 11"
    assert "not found" in failure("no-such-program-here", tmp_path)[1]
    assert failure("true", str(tmp_path / "gone"))[0] == "the command failed: exit code 127"  # type: ignore[arg-type]


def test_a_failure_around_it_is_told_and_the_clean_up_still_runs(tmp_path: Path) -> None:
    assert (
        failure("echo t=1", tmp_path, prepare="exit 2", cleanup="touch cleaned")[0] == "--prepare failed: exit code 2"
    )
    assert (tmp_path / "cleaned").exists()
    assert failure("echo t=1", tmp_path, cleanup="exit 3")[0] == "--cleanup failed: exit code 3"
    assert failure("exit 4", tmp_path, cleanup="exit 3")[0] == "the command failed: exit code 4"


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, mark: str) -> None:
    line = f"trap '' TERM; (setsid setsid sleep {mark} &); sleep {mark} & sleep {mark}"
    what, hint = failure(line, tmp_path, timeout=0.3, cleanup="touch cleaned")
    assert what == "the command did not end within 0.3 s, and was ended"
    assert "--timeout gives it longer" in hint
    assert (tmp_path / "cleaned").exists()


def test_what_it_leaves_in_the_background_is_ended(tmp_path: Path, mark: str) -> None:
    assert once(f"(setsid nohup sleep {mark} &) ; echo t=2", tmp_path).figure == 2
    assert sleeping(mark) == []


def test_no_number_is_told(tmp_path: Path) -> None:
    what, hint = failure("echo hello", tmp_path)
    assert what == "the command printed nothing that matches 't=(\\\\S+)'"
    assert "hello" in hint
    assert failure("true", tmp_path)[1] == "it printed nothing"
    assert "no measurement" in failure("echo t=nan", tmp_path)[0]


def test_the_same_number_for_ever_is_no_measurement(tmp_path: Path) -> None:
    with command("echo t=42", tmp_path) as made:
        for _ in range(IDENTICAL):
            made.sample(made.loads[0], 0.3, 1)
        with pytest.raises(WorkloadFailed, match=f"printed 42 {IDENTICAL + 1} times in a row"):
            made.sample(made.loads[0], 0.3, 1)


def test_the_first_run_tells_how_long_later_ones_may_take(tmp_path: Path) -> None:
    with command("echo t=1$(date +%N)", tmp_path) as made:
        assert made._shared.limit == 20
        made.sample(made.loads[0], 0.3, 1)
        assert made._shared.limit == 10


# Its options, and where it runs.


def test_options_are_the_commands_own(tmp_path: Path) -> None:
    show = (
        "grep Cpus_allowed_list /proc/self/status; ls /proc/self/task; echo t=$(awk '{print $41 + 1}' /proc/self/stat)"
    )
    with command(show, tmp_path) as made:
        one = made.adjusted({"cpus": "same"}).adjusted({"policy": "batch"})
        assert made.sample(made.loads[0], 0.3, 1).figure == 1 + os.SCHED_OTHER
        assert one.sample(made.loads[0], 0.3, 1).figure == 1 + os.SCHED_BATCH
    last = max(os.sched_getaffinity(0))
    with command("nproc; echo t=$(nproc); taskset -cp $$", tmp_path) as made:
        assert made.adjusted({"cpus": "same"}).sample(made.loads[0], 0.3, 1).figure == 1
    assert last in os.sched_getaffinity(0)


_NAMESPACES = "for n in ipc net mnt; do readlink /proc/self/ns/$n; done > spaces; echo t=1"


def _spaces(tmp_path: Path) -> list[bool]:
    """Which of its namespaces were the machine's."""
    theirs = (tmp_path / "spaces").read_text().split()
    return [str(Path(f"/proc/self/ns/{n}").readlink()) == s for n, s in zip(("ipc", "net", "mnt"), theirs, strict=True)]


def test_it_runs_in_the_namespaces_of_the_machine(tmp_path: Path) -> None:
    once(_NAMESPACES, tmp_path)
    assert _spaces(tmp_path) == [True, True, True]


def test_private_isolates_it_with_lo_up(tmp_path: Path) -> None:
    line = f"{_NAMESPACES}; ls /sys/class/net > /dev/null; awk 'NR > 1' /proc/net/route > routes"
    once(f"{line}; cat /proc/net/if_inet6 /proc/net/fib_trie > lo", tmp_path, private=True)
    assert _spaces(tmp_path) == [False, False, True]
    assert "127.0.0.1" in (tmp_path / "lo").read_text()  # the kernel gives lo its address when it comes up
    assert (tmp_path / "routes").read_text() == ""


def test_private_without_the_right_to_it_is_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPossible, match="no namespaces of its own"):
        raise_unshare(monkeypatch)


def raise_unshare(monkeypatch: pytest.MonkeyPatch) -> None:
    from ipctune.workload import private

    monkeypatch.setattr(private, "_unshare", lambda _flags: 1)
    private.enter()


# Whoever dies.

_DRIVER = """
import sys
sys.path.insert(0, {source!r})
from ipctune.workload.command import Command
from ipctune.workload.model import CommandLine
line = CommandLine(command=sys.argv[1], metric="t=(.)", cleanup=sys.argv[2], folder={folder!r})
with Command(line, first=60) as made:
    made.sample(made.loads[0], 0.3, 1)
"""


def _driver(tmp_path: Path, mark: str) -> "subprocess.Popen[bytes]":
    line = f"(setsid setsid sleep {mark} &); sleep {mark} & trap '' HUP TERM; sleep {mark}; sleep {mark}"
    text = _DRIVER.format(source=str(_SOURCE), folder=str(tmp_path))
    made = subprocess.Popen([sys.executable, "-c", text, line, "touch cleaned"], stderr=subprocess.DEVNULL)
    until(lambda: len(sleeping(mark)) == 3, "the command does not start")
    return made


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_the_tuner_ends(tmp_path: Path, mark: str, number: signal.Signals) -> None:
    driver = _driver(tmp_path, mark)
    driver.send_signal(number)
    driver.wait(20)
    until(lambda: not sleeping(mark), "the command goes on")
    until((tmp_path / "cleaned").exists, "nobody cleans up")


def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path: Path, mark: str) -> None:
    driver = _driver(tmp_path, mark)
    child = next(int(p) for p in Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split())
    os.kill(child, signal.SIGKILL)
    assert driver.wait(20) == 1
    until(lambda: not sleeping(mark), "the command goes on")
