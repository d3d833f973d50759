"""A command that a limit of its own process refuses: what is recognised, what is tried, and what is said."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.tune.machine import host, settings
from tests.unit.tune.made import result

from ipctune.errors import NotPossible, WorkloadFailed
from ipctune.host.model import Host
from ipctune.knobs import rlimits
from ipctune.knobs.registry import KNOBS
from ipctune.report.page import render_page
from ipctune.report.style import PLAIN
from ipctune.report.tune import render
from ipctune.tune.command_limits import Helped, refused_limit, runs_with
from ipctune.tune.model import Outcome
from ipctune.workload.model import CommandLine, Load, Sample

LOCK = WorkloadFailed("the command failed: exit code 1", hint="its last lines:\n    mlock: Cannot allocate memory")
SAMPLE = Sample(1.0, 1.0, 0, 1, None)


@dataclass
class Locks:
    """A command that runs with enough locked memory, or `heals` after some runs."""

    enough: int = 1 << 20
    heals: int = 99
    limit: int = 65_536
    runs: list[int] = field(default_factory=list)
    name: str = "locks"
    loads: tuple[Load, ...] = (Load("in a run of the command"),)

    def __enter__(self) -> "Locks":
        return self

    def __exit__(self, *_: object) -> None: ...

    def adjusted(self, options: Mapping[str, str]) -> "Locks":
        return replace(self, limit=int(options["RLIMIT_MEMLOCK"]))

    def sample(self, load: Load, seconds: float, seed: int) -> Sample:
        self.runs.append(self.limit)
        if self.limit < self.enough and len(self.runs) < self.heals:
            raise LOCK
        return SAMPLE


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ipctune.knobs.rlimits", "ipctune.tune.command_limits"):
        monkeypatch.setattr(f"{module}.present", lambda _name: (65_536, 1 << 22))


def tried(locks: Locks, failed: WorkloadFailed = LOCK, **changes: object) -> Helped | None:
    asked = settings(command=CommandLine("x", "y"), **changes)
    return runs_with(host(), asked, locks, failed, lambda _: None)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("mlock: Cannot allocate memory", "RLIMIT_MEMLOCK"),
        ("failed to mlockall(): Operation not permitted", "RLIMIT_MEMLOCK"),
        ("could not lock pages: locked memory limit", "RLIMIT_MEMLOCK"),
        ("mq_open(/x): Too many open files", "RLIMIT_MSGQUEUE"),
        ("OSError: [Errno 24] mq_open EMFILE", "RLIMIT_MSGQUEUE"),
        ("open(/x): Too many open files", None),
        ("block of 4 pages: Cannot allocate memory", None),
        ("", None),
    ],
)
def test_the_limit_is_known_by_what_the_command_says(line: str, name: str | None) -> None:
    assert refused_limit(WorkloadFailed("the command failed", hint=f"its last lines:\n    {line}")) == name


def test_it_is_raised_for_one_run_and_held_against_one_without_it() -> None:
    locks = Locks()
    found = tried(locks)
    assert found is not None
    assert locks.runs == [64 << 20, 65_536]
    assert (found.trial.outcome, found.trial.value) == (Outcome.ADVICE, {"RLIMIT_MEMLOCK": str(64 << 20)})
    assert "mlock: Cannot allocate memory" in found.refusal.message


def test_one_that_runs_again_without_it_failed_for_something_else() -> None:
    with pytest.raises(WorkloadFailed, match="exit code 1"):
        tried(Locks(heals=2))


def test_one_that_fails_all_the_same_is_not_helped() -> None:
    found = tried(Locks(enough=1 << 40))
    assert found is not None
    assert (found.trial.outcome, found.advice) == (Outcome.NO_GAIN, ())


def test_what_the_user_leaves_out_is_not_tried() -> None:
    locks = Locks()
    assert tried(locks, without=("rlimit-memlock",)) is None
    assert tried(locks, only=("haltpoll",)) is None
    assert locks.runs == []


def test_another_failure_is_left_alone() -> None:
    assert tried(Locks(), WorkloadFailed("hangs", hint="it printed nothing")) is None
    assert tried(Locks(), NotPossible("x")) is None  # type: ignore[arg-type]


def unprivileged() -> Host:
    found = host()
    return replace(found, privileges=replace(found.privileges, euid=1000, caps=frozenset()))


def test_without_root_the_hard_limit_is_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    knob, hints = KNOBS["rlimit-memlock"], {"refused:RLIMIT_MEMLOCK": ""}
    assert knob.candidates(unprivileged(), hints) == ({"RLIMIT_MEMLOCK": str(1 << 22)},)
    monkeypatch.setattr("ipctune.knobs.rlimits.present", lambda _name: (65_536, 65_536))
    assert knob.candidates(unprivileged(), hints) == ()
    assert "only root may raise the hard limit" in knob.why_not(unprivileged())


def test_nothing_is_tried_where_nothing_was_refused_or_nothing_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    knob = KNOBS["rlimit-msgqueue"]
    assert knob.candidates(host(), {}) == ()
    assert knob.why_not(host()) == "no refusal was recorded"
    monkeypatch.setattr("ipctune.knobs.rlimits.present", lambda _name: (None, None))
    assert knob.candidates(host(), {"refused:RLIMIT_MSGQUEUE": ""}) == ()
    assert knob.why_not(host()) == "it is unlimited already"


def test_limits_conf_counts_locked_memory_in_kib_and_the_rest_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctune.knobs.rlimits.present", lambda _name: (8192, 8192))
    assert any("`USER - memlock 65536`" in line for line in rlimits.lasting_lines("RLIMIT_MEMLOCK", 64 << 20))
    assert any("`USER - msgqueue 8388608`" in line for line in rlimits.lasting_lines("RLIMIT_MSGQUEUE", 8 << 20))


def test_a_hard_limit_that_is_higher_is_not_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipctune.knobs.rlimits.present", lambda _name: (8192, None))
    unit, login, command = rlimits.lasting_lines("RLIMIT_MSGQUEUE", 8 << 20)
    assert "LimitMSGQUEUE=8388608:infinity" in unit
    assert "`USER soft msgqueue 8388608`" in login
    assert "--msgqueue=8388608: " in command


def test_the_screens_say_what_showed_it_and_how_it_lasts() -> None:
    found = tried(Locks())
    assert found is not None
    made = result(bottleneck="refused", refusals=(found.refusal,), trials=(found.trial,), advice=found.advice)
    for text in (render(made, PLAIN), render_page(made, host())):
        folded = " ".join(text.split())
        assert "the command was refused: mlock: Cannot allocate memory" in folded
        assert "runs with it, and fails without it again" in folded
        assert "[Service] LimitMEMLOCK=67108864, then systemctl restart UNIT" in folded
