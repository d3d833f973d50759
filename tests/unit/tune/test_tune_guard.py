"""The guard: when a run does not start, pauses and stops. Moments are made by hand, and nobody waits."""

from dataclasses import dataclass, field, replace

import pytest
from tests.unit.tune.machine import host

from ipctune.host.look import Counters, Look
from ipctune.host.look_tasks import Task, Tasks
from ipctune.host.others import Moment
from ipctune.tune.guard import MOST_PAUSES, Guard, Stopped

GB = 1 << 30
NS = 1_000_000_000


@dataclass
class Served:
    """A machine with one service, seen every few seconds: what it does a second, and what is left of memory."""

    uses: float = 0.2
    waits_ms: float = 1.0
    steal: float = 0.0
    stalls_ms: float = 0.0
    available: int = 4 * GB
    at: float = 0.0
    ran: float = 0.0
    waited: float = 0.0
    stolen: float = 0.0
    stalled: float = 0.0
    slept: list[float] = field(default_factory=list)
    off_at: list[float] = field(default_factory=list)
    better_after: int | None = None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        self.ran += self.uses * seconds * NS
        self.waited += self.waits_ms * 1e6 * seconds
        self.stolen += self.steal * seconds
        self.stalled += self.stalls_ms * 1000 * seconds
        if self.better_after is not None and len(self.slept) >= self.better_after:
            self.waits_ms = 1.0

    def moment(self) -> Moment:
        service = Task(77, "nginx", "S", 0, False, int(self.ran), int(self.waited), 10)
        return Moment(Look(self._counters(), Tasks({(77, 1): service}, {}, (), True)), self.available, 8 * GB, 30 << 20)

    def _counters(self) -> Counters:
        steal, idle = int(100 * self.stolen), int(100 * (self.at - self.stolen))
        return Counters(
            at=self.at,
            ticks=dict.fromkeys((0, 1), (0, 0, 0, idle, 0, 0, 0, steal)),
            context_switches=None,
            idle={},
            ipis={},
            run_delay_ns=None,
            vm={},
            pressure={"memory": (int(self.stalled), 0), "io": (0, 0)},
            disks={},
        )

    def off(self) -> None:
        self.off_at.append(self.at)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    made = Served()

    class Clock:
        monotonic = staticmethod(lambda: made.at)

    monkeypatch.setattr("ipctune.tune.guard.time", Clock)
    return made


def guard(served: Served, seconds: float = 10.0) -> Guard:
    made = Guard(host(), lambda _: None, served.moment, served.sleep)
    served.sleep(seconds)
    assert made.ready() == ""
    served.slept.clear()
    return made


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uses": 1.7}, "leave 0.30 vCPU free; a run needs 0.50"),
        ({"available": 200 << 20}, "of memory are available"),
        ({"steal": 0.5}, "the hypervisor gives"),
        ({"stalls_ms": 300.0}, "stall on memory for 300 ms/s"),
    ],
)
def test_it_does_not_start_where_something_is_short(served: Served, changes: dict[str, float], words: str) -> None:
    for name, value in changes.items():
        setattr(served, name, value)
    made = Guard(host(), lambda _: None, served.moment, served.sleep)
    served.sleep(10.0)
    assert words in made.ready()


def test_a_machine_with_time_to_spare_is_not_disturbed(served: Served) -> None:
    made = guard(served)
    for _ in range(20):
        served.sleep(2.5)
        made.check(served.off)
    took = made.took()
    assert (served.off_at, took.paused, took.stopped, took.complete) == ([], (), "", True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"waits_ms": 90.0}, "nginx waits 89 ms/s longer for a vCPU than before (bound: 50)"),
        ({"uses": 1.9}, "your programs use 1.90 vCPU (0.20 before) and leave 0.10 free"),
        ({"available": 100 << 20}, "of memory are left"),
        ({"steal": 0.5}, "the hypervisor gives"),
    ],
)
def test_it_pauses_with_what_is_tried_off_and_stops_where_that_does_not_help(
    served: Served, changes: dict[str, float], words: str
) -> None:
    made = guard(served)
    for name, value in changes.items():
        setattr(served, name, value)
    served.sleep(2.5)
    with pytest.raises(Stopped, match="still after a pause of 30 s"):
        made.check(served.off)
    assert len(served.off_at) == 1
    assert words in made.took().stopped
    assert made.took().paused_seconds >= 30


def test_pressure_is_judged_once_the_window_is_long_enough(served: Served) -> None:
    made = guard(served)
    served.stalls_ms = 300.0
    served.sleep(2.5)
    made.check(served.off)  # 2.5 s: the kernel's totals say nothing yet
    assert served.off_at == []
    with pytest.raises(Stopped, match="stall on memory"):
        _go_on(served, made, 4)


def _go_on(served: Served, made: Guard, looks: int, waits_ms: float | None = None) -> None:
    """So many looks, 2.5 s apart; with `waits_ms` the service waits so long before each, and no longer in a pause."""
    for _ in range(looks):
        if waits_ms is not None:
            served.waits_ms, served.better_after = waits_ms, len(served.slept) + 2
        served.sleep(2.5)
        made.check(served.off)


def test_it_goes_on_when_a_pause_helps(served: Served) -> None:
    made = guard(served)
    served.waits_ms, served.better_after = 90.0, 3
    served.sleep(2.5)
    made.check(served.off)
    took = made.took()
    assert len(took.paused) == 1
    assert took.stopped == ""
    assert took.waited == "nginx"
    assert took.most_wait_ms == pytest.approx(89, abs=0.5)


def test_too_many_pauses_end_the_run(served: Served) -> None:
    made = guard(served)
    with pytest.raises(Stopped, match=f"it paused {MOST_PAUSES} times for such within 10 min"):
        _go_on(served, made, MOST_PAUSES + 1, waits_ms=90.0)
    assert len(made.took().paused) == MOST_PAUSES + 1


def test_what_the_users_own_workload_makes_a_service_do_is_no_harm(served: Served) -> None:
    made = guard(served)
    served.waits_ms = 90.0
    for _ in range(6):
        served.sleep(0.7)  # a short command: its windows are put together
        made.know()
    served.sleep(2.5)
    made.check(served.off)
    assert served.off_at == []
    served.waits_ms = 200.0
    served.sleep(2.5)
    with pytest.raises(Stopped):
        made.check(served.off)


def test_where_nobody_looked_before_nothing_is_judged(served: Served) -> None:
    made = Guard(host(), lambda _: None, served.moment, served.sleep)
    assert made.ready() == ""  # at once: no seconds to tell from
    served.waits_ms = 900.0
    served.sleep(5.0)
    made.check(served.off)
    assert served.off_at == []


def test_it_looks_every_two_seconds_at_most(served: Served) -> None:
    made = guard(served)
    before = made.looks
    for _ in range(10):
        served.sleep(0.5)
        made.check(served.off)
    assert made.looks - before <= 3


def test_one_vcpu_needs_half_of_it(served: Served) -> None:
    one = host()
    one = replace(one, cpus=replace(one.cpus, online=(0,), allowed=(0,)))
    served.uses = 0.45
    made = Guard(one, lambda _: None, served.moment, served.sleep)
    served.sleep(10.0)
    assert made.ready() == ""
    served.uses = 0.6
    again = Guard(one, lambda _: None, served.moment, served.sleep)
    served.sleep(10.0)
    assert "a run needs 0.50" in again.ready()


def test_a_workload_that_waits_for_the_disk_is_no_harm_either(served: Served) -> None:
    made = guard(served)
    served.stalls_ms = 400.0
    for _ in range(4):
        served.sleep(3.0)
        made.know()
    for _ in range(5):
        served.sleep(2.5)
        made.check(served.off)
    assert served.off_at == []


def test_pressure_of_which_nobody_knows_how_it_was_is_not_new(served: Served) -> None:
    served.stalls_ms = 300.0
    made = guard(served, 3.0)  # too short for the kernel's totals
    for _ in range(5):
        served.sleep(2.5)
        made.check(served.off)
    assert served.off_at == []


def test_memory_that_runs_out_while_the_workload_is_looked_at_ends_the_run(served: Served) -> None:
    made = guard(served)
    served.sleep(2.5)
    made.know()
    served.available = 100 << 20
    served.sleep(2.5)
    with pytest.raises(Stopped, match="of memory are left"):
        made.know()


def test_a_program_that_always_bursts_is_known_to(served: Served) -> None:
    made = Guard(host(), lambda _: None, served.moment, served.sleep)
    for waits in (1.0, 1.0, 80.0, 1.0, 1.0):
        served.waits_ms = waits
        served.sleep(2.5)
        made.watch()
    assert made.ready() == ""
    served.slept.clear()
    served.waits_ms = 120.0  # 40 more than at most before
    served.sleep(2.5)
    made.check(served.off)
    assert served.off_at == []


def test_pauses_long_ago_do_not_count(served: Served) -> None:
    made = guard(served)
    for _ in range(3 * MOST_PAUSES):
        _go_on(served, made, 1, waits_ms=90.0)
        served.sleep(200.0)
        made.check(served.off)
    assert made.took().stopped == ""


def test_others_elsewhere_leave_our_vcpus_free(served: Served) -> None:
    """The service runs on vCPU 0; we may use vCPU 1 alone."""
    one = host()
    one = replace(one, cpus=replace(one.cpus, allowed=(1,)))
    served.uses = 1.0
    made = Guard(one, lambda _: None, served.moment, served.sleep)
    served.sleep(10.0)
    assert made.ready() == ""


def test_without_the_guard_it_says_what_it_took_and_nothing_else(served: Served) -> None:
    served.uses = 1.9
    made = Guard(host(), lambda _: None, served.moment, served.sleep, on=False)
    served.sleep(10.0)
    assert made.ready() == ""
    served.waits_ms = 900.0
    served.sleep(2.5)
    assert not made.check(served.off)
    assert made.took().memory_bytes == 30 << 20


def test_where_nobody_tells_how_long_one_waits_it_says_so(served: Served) -> None:
    served.uses = served.waits_ms = 0.0
    made = guard(served)
    assert not made.took().waits_known
