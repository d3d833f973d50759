"""What well-known clients print becomes figures, and whatever else they print becomes an error of ours."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipctune.errors import WorkloadFailed
from ipctune.workload.hackbench import parse_time
from ipctune.workload.nginx import parse_wrk
from ipctune.workload.perf_pipe import parse_pipe
from ipctune.workload.postgres import parse_log, parse_tps
from ipctune.workload.redis import parse_benchmark

_REDIS = """\
"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"GET ipctune","13253.81","0.069","0.008","0.063","0.095","0.175","1.839"
"""
_PGBENCH = """\
pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: <builtin: select only>
number of transactions actually processed: 500/500
number of failed transactions: 0 (0.000%)
latency average = 0.081 ms
initial connection time = 1.917 ms
tps = 12345.678901 (without initial connection time)
"""
_WRK = """\
Running 1s test @ http://127.0.0.1:4000/
  1 threads and 1 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    69.10us   22.05us   1.55ms   92.12%
    Req/Sec    14.33k     1.02k   16.01k    72.73%
  15769 requests in 1.10s, 3.10MB read
Requests/sec:  14335.22
Transfer/sec:      2.82MB
"""
_PERF = """\
# Running 'sched/pipe' benchmark:
# Executed 20000 pipe operations between two processes

     Total time: 0.901 [sec]

      45.072200 usecs/op
          22186 ops/sec
"""
_HACKBENCH = """\
Running in process mode with 1 groups using 40 file descriptors each (== 40 tasks)
Each sender will pass 100 messages of 100 bytes
Time: 0.090
"""
_LOG = "0 1 161 0 1795556494 301775 62\n0 2 98 0 1795556494 302775 12\n"


def _log(text: str) -> list[int]:
    return list(parse_log(text))


_PARSERS: list[tuple[Callable[[str], object], str]] = [
    (parse_benchmark, _REDIS),
    (parse_tps, _PGBENCH),
    (parse_wrk, _WRK),
    (parse_pipe, _PERF),
    (parse_time, _HACKBENCH),
    (_log, _LOG),
]


def test_they_read_what_the_clients_print() -> None:
    assert parse_benchmark(_REDIS) == 13253.81
    assert parse_tps(_PGBENCH) == (12345.678901, 500)
    assert parse_wrk(_WRK) == (14335.22, 15769)
    assert parse_pipe(_PERF) == pytest.approx(1e6 / 45.0722)
    assert parse_pipe(_PERF * 2, 2) == pytest.approx(2e6 / 45.0722)
    assert parse_time(_HACKBENCH) == 0.09
    assert _log(_LOG) == [161, 98]


@pytest.mark.parametrize(
    ("parser", "output"),
    [
        (parse_benchmark, _REDIS.replace("13253.81", "inf")),
        (parse_benchmark, _REDIS.replace("13253.81", "0.00")),
        (parse_tps, _PGBENCH.replace("transactions: 0", "transactions: 3")),
        (parse_tps, _PGBENCH.replace("tps = 12345.678901", "tps = 0.000000")),
        (parse_wrk, _WRK + "  Non-2xx or 3xx responses: 12\n"),
        (parse_wrk, _WRK + "  Socket errors: connect 0, read 3, write 0, timeout 0\n"),
        (parse_pipe, _PERF * 2),
        (parse_time, _HACKBENCH.replace("0.090", "0.000")),
        (_log, "0 1 failed 0 1795556494 301775\n"),
        (_log, "0 1 skipped 0 1795556494 301775 62\n"),
    ],
)
def test_trouble_is_no_figure(parser: Callable[[str], object], output: str) -> None:
    with pytest.raises(WorkloadFailed):
        parser(output)


@pytest.mark.parametrize(("parser", "output"), _PARSERS)
@given(data=st.data())
def test_a_damaged_output_is_a_figure_or_an_error_of_ours(
    parser: Callable[[str], object], output: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(output)))
    end = data.draw(st.integers(at, len(output)))
    _figure_or_error(parser, output[:at] + data.draw(st.text(max_size=20)) + output[end:])


@pytest.mark.parametrize(("parser", "_"), _PARSERS)
@given(text=st.text(max_size=300))
@example(text="tps = 1 (\nnumber of transactions actually processed: " + "9" * 5000)
@example(text="Requests/sec: 1\n " + "9" * 5000 + " requests in ")
@example(text="0 1 " + "9" * 5000 + " 0 0 0 0")
@example(text="Time: " + "9" * 5000)
@example(text='"a","' + "9" * 5000 + '",')
def test_garbage_is_an_error_of_ours(parser: Callable[[str], object], _: str, text: str) -> None:
    _figure_or_error(parser, text)


def _figure_or_error(parser: Callable[[str], Any], text: str) -> None:
    try:
        found = parser(text)
    except WorkloadFailed:
        return
    values = found if isinstance(found, tuple | list) else [found]
    assert all(0 <= float(value) < float("inf") for value in values)
