"""Which cause is named, against which bound, and what the screen says of it."""

from dataclasses import replace

import pytest
from tests.unit.host.watched import made_rates

from ipctune.host.is_it_ipc import DISK_MS, IDLE_WAKES, STALL_MS, SWAP_PAGES, ceiling, judge
from ipctune.host.model_watch import DiskRates, PressureRates, ProgramRates, Rates, VcpuRates, WaitCause, Watch
from ipctune.report.watch import after_watch, render_watch

HOP = (22_000.0, 3000.0)


def answer(rates: Rates, *, known: bool = True) -> Watch:
    return judge(rates, ceiling(rates, *(HOP if known else (None, None))))


def vcpus(*busy: float, **each: float) -> tuple[VcpuRates, ...]:
    made = VcpuRates(0, 0.0, 0.0, 0.0, 100.0, 100.0)
    return tuple(replace(made, cpu=i, busy=share, **each) for i, share in enumerate(busy))


def test_the_ceiling_is_the_rate_times_what_sleeping_adds() -> None:
    most = ceiling(made_rates(), *HOP)
    assert (most.wakes, most.hop_ns) == (1240.0, 19_000.0)
    assert most.waiting_ms == pytest.approx(23.56)


def test_a_hop_that_is_no_dearer_gains_nothing() -> None:
    most = ceiling(made_rates(), 2000.0, 3000.0)
    assert (most.hop_ns, most.waiting_ms) == (0.0, 0.0)


def test_what_was_not_measured_is_unknown() -> None:
    most = ceiling(made_rates(), None, None, "no core")
    assert (most.hop_ns, most.waiting_ms, most.unknown) == (None, None, "no core")
    assert ceiling(made_rates(wakes=None), *HOP).waiting_ms is None


QUIET = vcpus(0.02, 0.01)
BUSY = vcpus(0.3, 0.2)
OTHERS: dict[WaitCause, Rates] = {
    WaitCause.STEAL: made_rates(vcpus=vcpus(0.3, 0.2, steal=0.1)),
    WaitCause.SWAP: made_rates(swap_in=400.0, vcpus=vcpus(0.2, 0.1, iowait=0.3)),
    WaitCause.DISK: made_rates(vcpus=vcpus(0.2, 0.1, iowait=0.3), disks=(DiskRates("vda", 0.9, 300, 1e6, 500, 150),)),
    WaitCause.RUN_QUEUE: made_rates(vcpus=vcpus(0.7, 0.6), run_wait_ms=400.0),
    WaitCause.FULL_VCPU: made_rates(vcpus=vcpus(0.1, 1.0), run_wait_ms=990.0),
}


@pytest.mark.parametrize(("cause", "rates"), OTHERS.items(), ids=[str(cause) for cause in OTHERS])
@pytest.mark.parametrize("known", [True, False])
def test_another_cause_that_is_larger_is_named_and_stops(cause: WaitCause, rates: Rates, known: bool) -> None:
    found = answer(rates, known=known)
    assert (found.cause, found.stops) == (cause, True)
    assert "IPC is not the problem here" in render_watch(found)


@pytest.mark.parametrize(("cause", "rates"), [x for x in OTHERS.items() if x[0] is not WaitCause.FULL_VCPU])
def test_a_cause_that_is_smaller_than_what_ipc_can_gain_does_not_stop(cause: WaitCause, rates: Rates) -> None:
    talking = replace(rates, wakes=60_000.0)
    found = answer(talking)
    assert (found.cause, found.stops) == (WaitCause.IPC, False)
    assert any(one.cause is cause and one.over for one in found.causes)


def test_a_thread_that_wanders_fills_a_vcpu_as_well() -> None:
    assert answer(made_rates(vcpus=vcpus(0.5, 0.5), full_threads=1)).cause is WaitCause.FULL_VCPU


def test_one_full_vcpu_of_many_is_not_the_machine() -> None:
    many = vcpus(1.0, *[0.1] * 7)
    assert answer(made_rates(vcpus=many)).cause is WaitCause.IPC
    assert answer(made_rates(vcpus=vcpus(1.0, 1.0, *[0.1] * 6))).cause is WaitCause.FULL_VCPU


def test_swapping_is_not_called_a_slow_disk() -> None:
    stalls = (PressureRates("memory", 300.0, 1.0), PressureRates("io", 400.0, 1.0))
    disk = DiskRates("vda", 0.9, 500, 400 * 4096.0, 900, 0)
    found = answer(made_rates(swap_in=400.0, pressure=stalls, disks=(disk,)))
    assert found.cause is WaitCause.SWAP
    assert [one.cause for one in found.causes if one.over] == [WaitCause.SWAP]
    heavy = replace(disk, bytes=5e7)
    both = answer(made_rates(swap_in=400.0, pressure=stalls, disks=(heavy,)))
    assert {one.cause for one in both.causes if one.over} == {WaitCause.SWAP, WaitCause.DISK}


def test_short_memory_without_swap_is_named_too() -> None:
    assert answer(made_rates(pressure=(PressureRates("memory", 300.0, 1.0),))).cause is WaitCause.SWAP


@pytest.mark.parametrize(
    "rates",
    [
        made_rates(vcpus=vcpus(0.3, 0.2, steal=0.02)),
        made_rates(swap_in=SWAP_PAGES / 2, swap_out=5000.0),
        made_rates(vcpus=vcpus(0.2, 0.1, iowait=DISK_MS / 2500)),
        made_rates(vcpus=vcpus(0.7, 0.6), run_wait_ms=STALL_MS / 2),
        made_rates(vcpus=vcpus(0.8, 0.1)),
    ],
    ids=["steal", "swap", "disk", "run-queue", "full-vcpu"],
)
def test_below_its_bound_nothing_is_named(rates: Rates) -> None:
    found = answer(rates)
    assert (found.cause, found.stops) == (WaitCause.IPC, False)


def test_a_disk_that_is_waited_for_now_and_then_is_mentioned_and_ends_nothing() -> None:
    disk = DiskRates("vda", 0.09, 300, 1e6, 500, 0)
    found = answer(made_rates(vcpus=BUSY, wakes=300.0, disks=(disk,), pressure=(PressureRates("io", 57.0, 1.0),)))
    assert (found.cause, found.stops) == (WaitCause.NONE, False)
    assert "disk 9 % (57 ms/s waiting)" in " ".join(render_watch(found).split())
    slow = made_rates(vcpus=BUSY, wakes=300.0, disks=(disk,), pressure=(PressureRates("io", DISK_MS, 1.0),))
    assert (answer(slow).cause, answer(slow).stops) == (WaitCause.DISK, True)


def test_an_idle_machine() -> None:
    found = answer(made_rates(vcpus=QUIET, wakes=2.0, run_wait_ms=0.1))
    assert (found.cause, found.stops) == (WaitCause.IDLE, False)
    assert "The machine is idle" in render_watch(found)
    assert "patterns of our own" in after_watch(found, goes_on=True)


def test_one_tick_of_steal_on_an_idle_machine_is_no_verdict() -> None:
    assert answer(made_rates(vcpus=vcpus(0.0, 0.01, steal=0.005), wakes=2.0)).cause is WaitCause.IDLE


def test_little_to_gain_goes_on() -> None:
    found = answer(made_rates(vcpus=BUSY, wakes=200.0))
    assert (found.cause, found.stops) == (WaitCause.NONE, False)
    assert "3.8 ms of waiting a second at most" in found.why
    assert answer(made_rates(vcpus=BUSY, wakes=IDLE_WAKES / 2), known=False).cause is WaitCause.NONE


def test_the_screen_has_rate_cost_ceiling_and_what_else_was_looked_for() -> None:
    text = " ".join(render_watch(answer(made_rates())).split())
    for part in (
        "1,240 wake-ups/s go to a sleeping vCPU; one costs 22 µs here, 3 µs if awake.",
        "Most that can be gained: 19 µs a hop, 24 ms of waiting a second in all.",
        "steal 0.0 %",
        "swap none",
        "disk 1 %",
        "run queue 0.4 ms/s",
        "redis-server 1,200/s",
        "100 hops one after another gain up to 1.9 ms",
    ):
        assert part in text


@pytest.mark.parametrize("rates", [made_rates(), *OTHERS.values(), made_rates(vcpus=(), wakes=None, run_wait_ms=None)])
@pytest.mark.parametrize("known", [True, False])
def test_the_screen_fits(rates: Rates, known: bool) -> None:
    many = tuple(ProgramRates(f"a-program-{i}", 40, 123_456.0 - i, 9.0, 0.1) for i in range(9))
    text = render_watch(answer(replace(rates, programs=many, complete=False), known=known))
    assert max(map(len, text.splitlines())) <= 80
    assert "\xa0" not in text


def test_unknown_is_said_so() -> None:
    rates = made_rates(wakes=None, steal_reported=False, swap_in=None, run_wait_ms=None, vcpus=())
    text = render_watch(judge(rates, ceiling(rates, None, None, "no core is built here")))
    for part in ("unknown, how many", "no core is built here", "gained: unknown", "steal unknown", "queue unknown"):
        assert part in text
