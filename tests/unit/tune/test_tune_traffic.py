"""Traffic of a live service that changes of its own is noticed in the arm where nothing is set."""

import pytest

from ipctune.tune.series import Series
from ipctune.workload.model import Sample


def block(rate: float) -> Sample:
    return Sample(figure=1000.0, seconds=1.0, messages=int(rate), cpu_ns=1000, poll_ns=None)


def series(now: list[float], tried: list[float]) -> Series:
    made = Series()
    for one in now:
        made.a.add(block(one), 0.0)
    for one in tried:
        made.b.add(block(one), 0.0)
    return made


@pytest.mark.parametrize(
    ("now", "tried", "factor"),
    [
        ([100] * 8, [100] * 8, 1.0),
        ([100] * 4 + [200] * 4, [100] * 4 + [200] * 4, 2.0),
        ([100] * 8, [300] * 8, 1.0),  # the setting's own effect on those who ask again at once
        ([300] * 4 + [100] * 4, [300] * 8, 1 / 3),
        ([100, 100, 900, 100, 100, 100], [100] * 6, 1.0),  # one burst
        ([100] * 3, [100] * 3, None),
    ],
)
def test_the_arm_where_nothing_is_set_tells(now: list[float], tried: list[float], factor: float | None) -> None:
    found = series(now, tried).traffic()
    assert found == (None if factor is None else pytest.approx(factor))
