"""What polling before halting would gain and cost at a given rate, foretold from the wake-cost curve.

The model. A client on one vCPU asks a server on another at Poisson arrivals; latency runs from the
intended start. A round trip holds three wake-ups that may find a halted vCPU:

1. the client's own, by its timer, after the idle gap (about 1/rate). The interrupt alone costs a few
   awake round trips even where nobody halts (`TIMER_AWAKE`, measured under a wake-up latency request),
   and the halt `TIMER_SHARE` of what the curve shows on top of the awake round trip (its excess);
2. the server's, by the request, after about the same gap: half of the excess;
3. the client's again, by the reply: the other half.

Polling for P ns covers a wake whose idle period was shorter than the vCPU's present polling limit,
which adapts between 0 and P as Linux' haltpoll governor does (Documentation/virt/guest-halt-polling.rst):
it grows after a halt that P would have covered and is halved after a longer one. A wake that is not
covered is still cheaper than without polling (`NOT_COVERED`; probably because the tick is not stopped for it). The
polled time is what all idle periods of both vCPUs spend below the limit. Where the curve was taken
with polling on already, it shows what is left, and the prediction is about polling more.

How good it is, on one kind of machine (two vCPUs, KVM, nothing polling): the median without polling
was foretold within a third between 100 and 5,000/s, mostly within a tenth. Polling itself was compared with
earlier figures only: 0.07 to 0.08 vCPU foretold at 1,000/s where 0.08 had been measured, 0.70 flat out
where it was 0.6; `NOT_COVERED` lies between what the curve (0.5) and an open loop (0.85) had shown.

Its limits: wakes are medians, not distributions; other interrupts and programs, which keep vCPUs awake,
are left out; the pair stays on its two vCPUs (an unpinned pair is put on the one that is awake, and then
there is less to gain); near saturation (rate × round trip above 0.8) the queue decides and the figures
are too low; a hypervisor that polls changes with the guest's polling. So it ranks candidates and never
decides: trials do.
"""

import random
import statistics
from dataclasses import dataclass

from ipctune.bench.wake import Curve, Knee, knee

__all__ = ["CANDIDATES_NS", "Prediction", "WakeCost", "predict", "suggest_poll_ns", "wake_cost"]

TIMER_AWAKE = 3.5
TIMER_SHARE = 0.3
NOT_COVERED = 0.75
BUSY = 0.15
"""Share of the awake round trip by which a side's idle time is shorter than its wait: its own work."""
GROW_START_NS = 50_000
ARRIVALS = 4000
LARGEST_NS = 200_000
CANDIDATES_NS = (50_000, 100_000, 200_000, 400_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Median latency (RT, ns) without and with polling for `poll_ns`, and the vCPUs polled then.

    `rate` is messages a second; 0 is as fast as it goes, where the achieved rates differ.
    """

    rate: float
    poll_ns: int
    without_ns: float
    with_ns: float
    polling_vcpus: float

    @property
    def ratio(self) -> float:
        """With over without; below 1 is a gain."""
        return self.with_ns / self.without_ns


@dataclass(frozen=True, slots=True)
class WakeCost:
    """A curve with all that is read off it; predictions for each rate, 0 being flat out."""

    curve: Curve
    knee: Knee
    suggested_poll_ns: int | None
    predictions: tuple[Prediction, ...]


def wake_cost(curve: Curve, rates: tuple[float, ...] = (0.0, 1000.0, 5000.0)) -> WakeCost:
    """Read everything off a curve."""
    poll = suggest_poll_ns(curve)
    told = () if poll is None else tuple(predict(curve, curve.awake_ns, poll, r) for r in rates)
    return WakeCost(curve, knee(curve), poll, told)


def predict(curve: Curve, awake_ns: float, poll_ns: int, rate: float) -> Prediction:
    """Foretell the median at Poisson `rate` (0: as fast as it goes) without and with polling.

    `awake_ns` is the round trip that finds everybody awake; `curve.awake_ns` measured it on one vCPU.
    """
    without, _ = _simulate(curve, awake_ns, 0, rate)
    with_polling, polled = _simulate(curve, awake_ns, poll_ns, rate)
    return Prediction(rate, poll_ns, without, with_polling, polled)


def suggest_poll_ns(curve: Curve, rate: float = 0.0) -> int | None:
    """A guest_halt_poll_ns worth trying; None where no wake-up is slow, so that nothing is to gain.

    Without a rate: three times the slowest round trip after at most a millisecond's gap, so that a reply is
    waited for with room to spare; never above upstream's default of 200 µs. With one: the candidate of
    the least latency × polling that is foretold to gain 5 % at least, else the former.
    """
    if knee(curve).kind == "awake":
        return None
    slow = max(point.p50_ns for point in curve.points if point.gap_ns <= 1_000_000)
    plain = min(_rounded_up(3 * slow), LARGEST_NS)
    if not rate:
        return plain
    told = [predict(curve, curve.awake_ns, poll, rate) for poll in CANDIDATES_NS]
    gaining = [one for one in told if one.ratio <= 0.95]
    busy = curve.points[0].cpu_ns_per_message * rate / 1e9
    best = min(gaining, key=lambda one: one.ratio * (busy + one.polling_vcpus), default=None)
    return plain if best is None else best.poll_ns


def _rounded_up(ns: float) -> int:
    step = GROW_START_NS
    return -int(-ns // step) * step


class _Governor:
    """How long one vCPU polls before it halts, adapting as haltpoll does (grow 2, shrink 2)."""

    def __init__(self, most_ns: int) -> None:
        self.most = most_ns
        self.limit = 0
        self.polled = 0.0

    def covers(self, idle_ns: float) -> bool:
        """Pass an idle period: was it polled through to its end?"""
        idle_ns = max(idle_ns, 0.0)
        if idle_ns <= self.limit:
            self.polled += idle_ns
            return True
        self.polled += self.limit
        halted = idle_ns - self.limit
        if halted > self.most:
            self.limit //= 2
        elif halted > self.limit:
            self.limit = min(max(self.limit * 2, GROW_START_NS), self.most)
        return False


def _simulate(curve: Curve, awake_ns: float, poll_ns: int, rate: float) -> tuple[float, float]:
    """Median latency in ns and vCPUs polled, over seeded arrivals."""
    draw = random.Random(1)
    client, server = _Governor(poll_ns), _Governor(poll_ns)
    halted = NOT_COVERED if poll_ns else 1.0
    arrival = free = served = 0.0
    latencies = []
    for _ in range(ARRIVALS):
        arrival = arrival + draw.expovariate(rate) * 1e9 if rate else free
        gap = max(arrival - free, 0.0)
        excess = halted * max(curve.round_trip_ns(gap) - awake_ns, 0.0)
        begin = max(arrival, free)
        if gap:
            begin += TIMER_AWAKE * awake_ns
            begin += 0.0 if client.covers(gap) else TIMER_SHARE * excess
        request = 0.0 if server.covers(begin - served - BUSY * awake_ns) else excess / 2
        reply = 0.0 if client.covers(request + (0.5 - BUSY) * awake_ns) else excess / 2
        served = begin + request + awake_ns / 2
        free = begin + awake_ns + request + reply
        latencies.append(free - arrival)
    return statistics.median(latencies), (client.polled + server.polled) / free
