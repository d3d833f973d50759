"""The curve's shape tells who polls; the model behind the prediction has the right limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.bench.fake import block

from ipctune.bench.curve import Curve, Point, curve_of, knee, plan, predict, suggest_poll_ns
from ipctune.bench.predict import wake_cost

GAPS = (0, 20, 100, 200, 400, 1000, 4000)
NOBODY = (43.0, 72.0, 66.0, 62.0, 82.0, 100.0, 111.0)
GUEST = (5.7, 6.1, 8.9, 8.6, 43.0, 48.0, 68.0)
HOST = (12.0, 14.0, 15.0, 16.0, 45.0, 50.0, 60.0)
AWAKE = (4.7, 5.0, 5.2, 5.1, 5.5, 6.0, 7.5)


def made(figures: tuple[float, ...], polled: float | None = 0.0) -> Curve:
    points = tuple(
        Point(
            gap_ns=gap * 1000,
            p50_ns=us * 1000,
            count=1000,
            cpu_ns_per_message=40_000.0,
            poll_ns_per_message=None if polled is None else polled * gap * 1000,
        )
        for gap, us in zip(GAPS, figures, strict=True)
    )
    return Curve(points, 4200.0, (0, 1))


def test_nobody_polls() -> None:
    assert knee(made(NOBODY)).kind == "nobody"
    assert suggest_poll_ns(made(NOBODY)) == 200_000


@pytest.mark.parametrize(
    ("figures", "polled", "who"),
    [(GUEST, 1.9, "guest"), (HOST, 0.0, "host"), (HOST, None, "unknown")],
)
def test_somebody_polls(figures: tuple[float, ...], polled: float | None, who: str) -> None:
    found = knee(made(figures, polled))
    assert (found.kind, found.who) == ("polls", who)
    assert (found.from_ns, found.to_ns) == (200_000, 400_000)


def test_kept_awake_there_is_nothing_to_gain() -> None:
    curve = made(AWAKE, 1.9)
    assert knee(curve).kind == "awake"
    assert suggest_poll_ns(curve) is None
    assert wake_cost(curve).predictions == ()


def test_between_points_the_curve_is_interpolated() -> None:
    curve = made(NOBODY)
    assert curve.round_trip_ns(0) == 43_000
    assert curve.round_trip_ns(60_000) == pytest.approx(69_000)
    assert curve.round_trip_ns(10**9) == 111_000


def test_polling_gains_most_flat_out_and_costs_least_when_seldom() -> None:
    told = {rate: predict(made(NOBODY), 4200, 200_000, rate) for rate in (0.0, 100.0, 5000.0)}
    assert told[0.0].ratio < told[5000.0].ratio < told[100.0].ratio <= 1
    assert told[100.0].polling_vcpus < 0.05 < told[5000.0].polling_vcpus


def test_no_polling_changes_and_costs_nothing() -> None:
    told = predict(made(NOBODY), 4200, 0, 1000.0)
    assert told.with_ns == told.without_ns
    assert told.polling_vcpus == 0


@given(
    st.lists(st.floats(1, 500), min_size=7, max_size=7),
    st.sampled_from([0, 50_000, 200_000, 5_000_000]),
    st.sampled_from([0.0, 1.0, 1000.0, 50_000.0]),
)
def test_any_curve_has_a_knee_and_a_sane_prediction(figures: list[float], poll_ns: int, rate: float) -> None:
    curve = made(tuple(figures))
    assert knee(curve).kind in ("nobody", "polls", "awake")
    told = predict(curve, curve.awake_ns, poll_ns, rate)
    assert told.with_ns > 0
    assert 0 <= told.polling_vcpus <= 2.001


def test_the_plan_makes_a_curve() -> None:
    specs = plan((0, 1), (0, 20_000))
    assert [spec.cpus for spec in specs] == [(0, 0), (0, 1), (0, 1)]
    curve = curve_of(tuple(block(spec) for spec in specs))
    assert curve.awake_ns == 5000
    assert [point.gap_ns for point in curve.points] == [0, 20_000]
    assert curve.points[1].poll_ns_per_message == 1000
