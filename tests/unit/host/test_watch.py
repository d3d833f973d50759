"""Two looks at a fake machine: what is counted, what is left out, and that garbage never raises."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trees.make import root_of
from tests.unit.host.watched import Moment, Thread, between

from ipctune.host.is_it_ipc import ceiling, judge
from ipctune.host.look import look
from ipctune.host.look_tasks import own_pids
from ipctune.host.rates import rates
from ipctune.host.root import Root
from ipctune.host.watch import WatchCut, observe
from ipctune.report.watch import render_watch

KERNEL_THREAD = 0x00200000
IDLE = 5


def test_a_wake_up_is_both_a_halt_and_an_interrupt_from_another_vcpu() -> None:
    found = between(Moment(), Moment(halts=(9000, 3000), ipis=(4000, 5000), idle_us=6_000_000))
    assert [v.halts for v in found.vcpus] == []  # no ticks: nothing is known of the vCPUs
    ticks = ((0, 0, 0, 1000, 0, 0, 0, 0),) * 2
    found = between(Moment(), Moment(ticks=ticks, halts=(9000, 3000), ipis=(4000, 5000), idle_us=6_000_000))
    assert [(v.halts, v.ipis) for v in found.vcpus] == [(900.0, 400.0), (300.0, 500.0)]
    assert found.wakes == 700.0
    assert found.halted_ns == pytest.approx(1e6)


def test_without_cpuidle_interrupts_are_the_bound_and_without_both_nothing_is_known() -> None:
    ticks = ((0, 0, 0, 1000, 0, 0, 0, 0),) * 2
    found = between(Moment(halts=None), Moment(ticks=ticks, halts=None, ipis=(4000, 5000)))
    assert (found.wakes, found.halts, found.halted_ns) == (900.0, None, None)
    found = between(Moment(halts=None, ipis=None), Moment(ticks=ticks, halts=None, ipis=None))
    assert found.wakes is None


def test_shares_of_a_vcpu() -> None:
    found = between(Moment(), Moment(ticks=((200, 100, 100, 300, 100, 50, 50, 100), (0, 0, 0, 1000, 0, 0, 0, 0))))
    first, second = found.vcpus
    assert (first.busy, first.steal, first.iowait) == (0.5, 0.1, 0.1)
    assert second.busy == 0.0
    assert (found.busy, found.steal_ms, found.iowait_ms) == (0.5, 100.0, 100.0)
    assert found.fullest == first


def test_who_runs_waits_and_is_woken() -> None:
    before = (Thread(20, "redis"), Thread(21, "php"), Thread(22, "php"))
    after = (
        Thread(20, "redis", ran=5_000_000_000, waited=20_000_000, switches=9000),
        Thread(21, "php", switches=100, waited=1_000_000_000),
        Thread(22, "php", switches=300),
        Thread(22, "io", tid=23, switches=500),  # a thread that started meanwhile belongs to its process
    )
    found = between(Moment(threads=before), Moment(threads=after))
    redis, php = found.programs[:2]
    assert (redis.name, redis.processes, redis.switches, redis.vcpus) == ("redis", 1, 900.0, 0.5)
    assert (php.name, php.processes, php.switches, php.wait_ms) == ("php", 2, 90.0, 100.0)
    assert found.run_wait_ms == pytest.approx(102.0)
    assert (found.busiest_program, found.busiest_thread, found.full_threads) == ("redis", 0.5, 0)


def test_run_queues_tell_also_of_what_has_ended() -> None:
    waited = Thread(20, waited=1_000_000_000)
    found = between(Moment(run_delay=0, threads=(Thread(20),)), Moment(run_delay=3_000_000_000, threads=(waited,)))
    assert found.run_wait_ms == pytest.approx(300.0)


def test_we_and_what_descends_from_us_are_left_out() -> None:
    ours = (Thread(50, "core", parent=9), Thread(51, "core", parent=50))
    ran = tuple(Thread(t.pid, t.name, parent=t.parent, ran=5_000_000_000, switches=5000) for t in ours)
    ticks = ((900, 0, 0, 100, 0, 0, 0, 0), (0, 0, 0, 1000, 0, 0, 0, 0))
    found = between(Moment(threads=ours), Moment(ticks=ticks, halts=(20_000, 0), threads=ran))
    assert {p.name for p in found.programs} == {"init"}
    assert found.busy == 0.0
    assert found.halts == 1000.0
    assert own_pids(9, {50: 9, 51: 50, 52: 1}) == {9, 50, 51}
    assert own_pids(None, {1: 0}) == set()


def test_what_yields_to_everybody_fills_no_vcpu_and_waits_for_nothing() -> None:
    poller = Thread(60, "poller", policy=IDLE, cpu=1)
    ran = Thread(60, "poller", policy=IDLE, cpu=1, ran=10_000_000_000, waited=9_000_000_000)
    ticks = ((0, 0, 0, 1000, 0, 0, 0, 0), (0, 1000, 0, 0, 0, 0, 0, 0))
    found = between(Moment(threads=(poller,)), Moment(ticks=ticks, threads=(ran,)))
    assert (found.busy, found.full_threads, found.run_wait_ms) == (0.0, 0, 0.0)


def test_kernel_threads_are_named_only_where_they_wait_for_a_disk() -> None:
    journal = Thread(70, "jbd2/vda-8", flags=KERNEL_THREAD, state="D", ran=9_000_000_000)
    found = between(Moment(), Moment(threads=(journal, Thread(71, "postgres", state="D"))))
    assert found.blocked == ("jbd2/vda-8", "postgres")
    assert "jbd2/vda-8" not in {p.name for p in found.programs}


def test_names_may_hold_brackets_and_spaces() -> None:
    odd = Thread(80, "a) R (b", switches=10)
    assert "a) R (b" in {
        p.name for p in between(Moment(threads=(Thread(80, "a) R (b"),)), Moment(threads=(odd,))).programs
    }


def test_whole_disks_alone() -> None:
    (vda,) = between(Moment(), Moment(disk=(1000, 20_000, 8000, 5000, 400))).disks
    assert (vda.name, vda.busy, vda.requests, vda.wait_ms, vda.flushes) == ("vda", 0.5, 140.0, 800.0, 40.0)
    assert vda.bytes == 1_024_000.0


def test_swap_and_pressure() -> None:
    found = between(
        Moment(swap_in=5, pressure={"io": 0}), Moment(swap_in=1005, swap_out=50, pressure={"io": 2_000_000, "cpu": 5})
    )
    assert (found.swap_in, found.swap_out) == (100.0, 5.0)
    assert found.stalled_ms("io") == 200.0
    assert found.stalled_ms("cpu") is None


def test_a_short_window_is_not_judged_by_totals_that_come_every_two_seconds() -> None:
    found = between(Moment(pressure={"io": 0}), Moment(pressure={"io": 2_000_000}), seconds=1.0)
    assert found.stalled_ms("io") is None


def test_counters_that_go_back_count_as_nothing() -> None:
    high = Moment(((5,) * 8, (5,) * 8), (900, 900), 9, (9, 9), 9, 9, {"io": 9}, (9, 9, 9, 9, 9), 9)
    found = between(high, Moment(ticks=((9,) * 8, (0,) * 8), pressure={"io": 0}, run_delay=0))
    assert (found.wakes, found.swap_in, found.stalled_ms("io"), found.disks) == (0.0, 0.0, 0.0, ())


def test_two_looks_at_one_moment_have_no_rates() -> None:
    one = look(root_of(Moment().files()), 1.0)
    assert rates(one, one) is None


def test_who_is_hidden_is_said() -> None:
    files = {path: text for path, text in Moment().files().items() if not path.startswith("/proc/1/")}
    assert not look(root_of(files)).tasks.complete


LINES = st.text() | st.from_regex(
    r"([a-zA-Z0-9_.()]{1,9}[ =:,/-]{1,2}-?[0-9]{1,30}[ \n,kM-]{0,3}){0,30}", fullmatch=True
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_garbage_in_any_file_never_raises(data: st.DataObject) -> None:
    threads = (Thread(20), Thread(20, tid=21), Thread(50, parent=9))
    looks = []
    for at, first in ((0.0, True), (10.0, False)):
        files = Moment(pressure={"io": 1, "memory": 1}, run_delay=1, threads=threads).files()
        for path in data.draw(st.lists(st.sampled_from(sorted(files)), max_size=6, unique=True)):
            files[path] = data.draw(LINES | st.just(""))
        for path in data.draw(st.lists(st.sampled_from(sorted(files)), max_size=3, unique=True)):
            del files[path]
        looks.append(look(root_of(files), at, first=first))
    found = rates(*looks)
    assert found is not None
    render_watch(judge(found, ceiling(found, data.draw(st.none() | st.floats(0, 1e9)), 3000.0)))


def _fake(*moments: Moment) -> list[Root]:
    return [root_of(moment.files()) for moment in moments]


def test_it_looks_twice_and_ticks_meanwhile() -> None:
    roots, ticks = _fake(Moment(), Moment(swap_in=10)), list[str]()
    found = observe(0.01, ticks.append, lambda: roots.pop(0))
    assert found is not None
    assert found.swap_in is not None
    assert found.swap_in > 0
    assert ticks


def test_ctrl_c_keeps_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    roots = _fake(Moment(), Moment(swap_in=10))

    def interrupted(_seconds: float) -> None:
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr("ipctune.host.watch.time.sleep", interrupted)
    with pytest.raises(WatchCut) as cut:
        observe(60.0, make_root=lambda: roots.pop(0))
    assert cut.value.rates is not None
    assert cut.value.rates.swap_in
