"""Parsers: known lines give known values, garbage never raises."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trees.make import TREES, root_of

from ipctune.host import read_host
from ipctune.host.boot_parameters import parse
from ipctune.host.core import sadf_rows
from ipctune.host.findings import inspect
from ipctune.host.kernel import version_of
from ipctune.host.limits import sysvipc_columns
from ipctune.host.memory import chosen
from ipctune.host.privileges import capabilities
from ipctune.host.processes import both_limits
from ipctune.host.scrub import clean, settings_only
from ipctune.host.settings import parse_settings
from ipctune.host.steal import percent
from ipctune.host.text import cpu_list, cpu_ranges, fields, flag, number, pairs, size, words
from ipctune.report.inspect import render

PARSERS: list[Callable[[str], object]] = [
    number, flag, words, pairs, size, cpu_list, parse, version_of, sysvipc_columns, chosen, capabilities,
    clean, settings_only,
    lambda text: list(fields(text)),
    lambda text: both_limits(text, "Max open files"),
    lambda text: parse_settings(text, "/etc/sysctl.conf"),
    lambda text: percent(text, text),
]  # fmt: skip
LINES = st.text() | st.from_regex(r"([a-z_.]{1,9}[ =:,/-]{1,2}-?[0-9]{1,30}[ \n,kM-]{0,3}){0,9}", fullmatch=True)


@pytest.mark.parametrize("parser", PARSERS)
def test_garbage_never_raises(parser: Callable[[str], object]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(LINES)
    def run(text: str) -> None:
        parser(text)

    run()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(TREES)))
def test_a_tree_with_garbage_in_it_never_raises(data: st.DataObject, tree: str) -> None:
    files = TREES[tree]()
    for path in data.draw(st.lists(st.sampled_from(sorted(files)), max_size=8, unique=True)):
        files[path] = data.draw(LINES)
    render(inspect(root_of(files)), everything=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["cpuid", "kvm", "vendor", "observed", "stat", "sadf", "shm", "hour"]), inner, max_size=5
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(JSON)
def test_facts_of_any_shape_never_raise(value: object) -> None:
    files = TREES["debian12_kvm"]() | {"/facts.json": json.dumps(value)}
    render(inspect(root_of(files)))
    sadf_rows(value)


@given(st.sets(st.integers(0, 500)))
def test_cpu_lists_go_there_and_back(cpus: set[int]) -> None:
    assert cpu_list(cpu_ranges(tuple(cpus))) == tuple(sorted(cpus))


@pytest.mark.parametrize(
    ("text", "value"),
    [("8872 kB", 8872 << 10), ("32K", 32 << 10), ("2M", 2 << 20), ("17", 17), ("-", None), ("", None), ("hugeK", None)],
)
def test_size(text: str, value: int | None) -> None:
    assert size(text) == value


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.18.44-fc", (6, 18, 44)), ("6.8.0-45-generic", (6, 8, 0)), ("5.15.167.4-x", (5, 15, 167)), ("x", (0,))],
)  # fmt: skip
def test_version(release: str, version: tuple[int, ...]) -> None:
    assert version_of(release) == version


def test_steal_between_two_looks() -> None:
    assert percent("cpu  0 0 0 0 0 0 0 0 0 0", "cpu  10 0 0 85 0 0 0 5 0 0") == 5.0
    assert percent("cpu  1 1 1 1 1 1 1 1", "cpu  1 1 1 1 1 1 1 1") is None


def test_boot_parameters() -> None:
    found = {one.name: one for one in parse('quiet idle=poll a="b c" haltpoll.guest_halt_poll_ns=0 -- secret=1')}
    assert list(found) == ["quiet", "idle", "a", "haltpoll.guest_halt_poll_ns"]
    assert found["haltpoll.guest_halt_poll_ns"].upstream == "200000"
    assert not found["quiet"].known


def test_sysctl_files_name_their_lines() -> None:
    found = parse_settings("# x\nkernel/shmmax=5\n-kernel.sem = 1 2 3 4\nnet.ipv4.ip_forward=1\n", "/etc/sysctl.conf")
    assert [(one.key, one.value, one.line) for one in found] == [
        ("kernel.shmmax", "5", 2),
        ("kernel.sem", "1 2 3 4", 3),
    ]


def test_sadf_output() -> None:
    sample = {"timestamp": {"date": "2026-03-01", "time": "20:10:01"}, "cpu-load": [{"cpu": "all", "steal": 9.5}]}
    assert sadf_rows({"sysstat": {"hosts": [{"statistics": [sample]}]}}) == [{"hour": "2026-03-01 20", "steal": 9.5}]


def test_steal_by_hour_from_recorded_samples() -> None:
    files = TREES["debian12_kvm"]()
    told = json.loads(files["/facts.json"])
    told["observed"]["sadf"] = [{"hour": "2026-03-01 20", "steal": s} for s in (8.0, 16.0)]
    host = read_host(root_of(files | {"/facts.json": json.dumps(told)}))
    assert [(one.hour, one.percent) for one in host.steal.hours] == [("2026-03-01 20", 12.0)]
