"""The figure in a command's output: found, or a clear word about why not; whatever is printed."""

import json
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.errors import WrongUse
from ipctune.workload.metric import NoMetric, reader

PGBENCH = "progress: 5.0 s, 901.2 tps\ntps = 900.5 (without initial connection time)\n"


@pytest.mark.parametrize(
    ("metric", "output", "value"),
    [
        (r"tps = ([0-9.]+)", PGBENCH, 900.5),
        (r"([0-9.]+) tps|tps = ([0-9.]+)x", PGBENCH, 901.2),
        (r"^t=(\S+)$", "t=1\nt=2.5e3\nt=7 \n", 2500.0),
        (r"t=(\S+)", "t=1,234,567.5", 1234567.5),
        (r"t=([-+.\w]+)", "t=+.5", 0.5),
        (r"t=(.*)", "t= 12 \n", 12.0),
        ("json:latency.p50", '{"latency": {"p50": 12.5}}', 12.5),
        ("json:jobs.0.read.iops", 'fio\n{\n "jobs": [\n  {"read": {"iops": 7}}\n ]\n}\n', 7.0),
        ("json:-1.x", '{"x": 1}\n[{"x": 2}, {"x": "3.5"}]\ndone', 3.5),
        ("json:x", '{"x": 1}\n{"x": 2}\n{broken\n', 2.0),
        ("json:a", '[1, 2\n{"a": 4}', 4.0),
    ],
)
def test_the_last_figure_counts(metric: str, output: str, value: float) -> None:
    assert reader(metric)(output) == value


@pytest.mark.parametrize(
    ("metric", "output", "why"),
    [
        (r"tps = (\d+)", "nothing", "printed nothing that matches"),
        (r"tps = (\d+)", "", "printed nothing that matches"),
        (r"t=(\S+)", "t=abc", "printed no number: 'abc'"),
        (r"t=(\S+)", "t=1,23", "printed no number"),
        (r"t=(\S+)", "t=1_000", "printed no number"),
        (r"t=(\S+)", "t=nan", "printed nan, which is no measurement"),
        (r"t=(\S+)", "t=-Infinity", "printed -inf, which is no measurement"),
        (r"t=(\S+)", "t=1e999", "printed inf, which is no measurement"),
        (r"t=(\S+)", "t=0.00", "printed 0: a metric has to be above 0"),
        (r"t=(\S+)", "t=-3", "printed -3: a metric has to be above 0"),
        (r"a(\d)?", "a", "printed null where a number should be"),
        ("json:a.b", "no json", "printed no JSON"),
        ("json:a.b", '{"a": {"c": 1}}', "printed JSON without a.b"),
        ("json:a.b", '{"a": 1}', "printed JSON without a.b"),
        ("json:a.7", '{"a": [1]}', "printed JSON without a.7"),
        ("json:a", '{"a": true}', "printed true where a number should be"),
        ("json:a", '{"a": null}', "printed null where"),
        ("json:a", '{"a": NaN}', "printed nan, which is"),
        ("json:a", '{"a": %s}' % ("9" * 400), "too large"),
    ],
)
def test_what_is_no_figure_is_named(metric: str, output: str, why: str) -> None:
    with pytest.raises(NoMetric) as error:
        reader(metric)(output)
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("(", "is no regular expression"),
        ("*", "is no regular expression"),
        (r"(?P<n>a)(?P<n>b)", "is no regular expression"),
        (r"tps = [0-9]+", "has no group that captures the number"),
        ("", "has no group"),
        ("json:", "names no value"),
        ("json:a..b", "names no value"),
    ],
)
def test_what_can_read_nothing_is_wrong_use(metric: str, why: str) -> None:
    with pytest.raises(WrongUse, match=why):
        reader(metric)


def test_deep_json_is_no_crash() -> None:
    with pytest.raises(NoMetric):
        reader("json:a")("[\n" * 100_000)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=3),
    max_leaves=10,
)
_LINES = st.lists(st.text(max_size=40) | _JSON.map(json.dumps) | _JSON.map(lambda v: json.dumps(v, indent=1)))
_METRICS = st.sampled_from(
    ["json:a", "json:a.b", "json:0", "json:a.-1.b", r"(\S+)", r"a(.*)$", r"([-+\d.,eE]+)", "(a)?"]
)


@given(_METRICS, _LINES)
def test_any_output_gives_a_finite_figure_above_nil_or_a_word(metric: str, lines: list[str]) -> None:
    try:
        value = reader(metric)("\n".join(lines))
    except NoMetric as error:
        assert str(error).startswith("printed ")  # noqa: PT017
        return
    assert isfinite(value)
    assert value > 0


@given(st.text(max_size=30))
def test_any_metric_is_taken_or_wrong_use(metric: str) -> None:
    try:
        read = reader(metric)
    except WrongUse as error:
        assert error.what  # noqa: PT017
        return
    try:
        assert read("a 1\nb 2 {}\n") > 0
    except NoMetric as error:
        assert str(error)  # noqa: PT017


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_printed_figure_is_read_as_it_is(value: float) -> None:
    assert reader(r"t=(\S+)")(f"t={value!r}") == value
    assert reader("json:t")(json.dumps({"t": value})) == value
