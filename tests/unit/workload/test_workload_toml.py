"""A workload of the user's own: what is allowed is read as it stands, everything else is refused with its place."""

import os
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipctune.errors import WrongUse
from ipctune.workload.registry import NAMES, make
from ipctune.workload.toml import Plan, parse

_WHOLE = r"""
name = "mine"

[server]
start = "exec {here}/myserver --socket {folder}/s"
stop = "INT"
user = "nobody"
[server.ready]
socket = "{folder}/s"
timeout = 5

[client]
command = "myclient -c {connections} --seconds {seconds}"
metric = 'requests/s: ([0-9.]+)'
lower_is_better = false
connections = [1, 50]
timeout = 30
"""
_LEAST = 'name = "m"\n[client]\ncommand = "c"\nmetric = "json:p50"\n'


def test_the_whole_of_it() -> None:
    assert parse(_WHOLE) == Plan(
        name="mine",
        client="myclient -c {connections} --seconds {seconds}",
        metric="requests/s: ([0-9.]+)",
        start="exec {here}/myserver --socket {folder}/s",
        stop="INT",
        user="nobody",
        ready_socket="{folder}/s",
        ready_timeout=5.0,
        connections=(1, 50),
        timeout=30.0,
    )


def test_the_least_of_it() -> None:
    assert parse(_LEAST) == Plan(name="m", client="c", metric="json:p50")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name is missing"),
        ('name = "m"', "client.command is missing"),
        (_LEAST + 'metrik = "x"', "no key 'client.metrik'"),
        ('color = "red"\n' + _LEAST, "no key 'color'"),
        (_LEAST + "lower_is_better = 1", "client.lower_is_better should be true or false"),
        (_LEAST + "lower_is_better = 'yes'", "client.lower_is_better should be true or false"),
        (_LEAST + "connections = true", "client.connections should be whole numbers"),
        (_LEAST + "connections = [1.5]", "client.connections should be whole numbers"),
        (_LEAST + "connections = []", "client.connections should be one to eight"),
        (_LEAST + "connections = [1, 2]", "{connections} stands nowhere"),
        (_LEAST + "timeout = nan", "client.timeout should be above 0"),
        (_LEAST + "timeout = inf", "client.timeout should be above 0"),
        (_LEAST + "rates = 5", "{rate} stands nowhere"),
        (_LEAST.replace('"c"', '"c {rate}"'), "client.rates is missing"),
        (_LEAST.replace('"c"', '""'), "client.command should be a text"),
        (_LEAST.replace('"c"', "3"), "client.command should be a text"),
        (_LEAST.replace('"m"', '"M m"'), "name should be"),
        (_LEAST.replace('"m"', '"../m"'), "name should be"),
        ("client = 3\n" + 'name = "m"', "client should be a table"),
        (_LEAST + '[server]\nstart = "s"', "server.ready should say one of"),
        (_LEAST + '[server]\nstart = "s"\nready = {port = 1, socket = "x"}', "server.ready should say one of"),
        (_LEAST + '[server]\nstart = "s"\nready = {port = 0}', "server.ready.port should be a port"),
        (_LEAST + '[server]\nstart = "s"\nstop = "STOP"\nready = {port = 1}', "server.stop should be one of"),
        (_LEAST + "[server]\nready = {port = 1}", "server.start is missing"),
        (_LEAST.replace('"json:p50"', "'no group'"), "no group"),
        (_LEAST.replace('"json:p50"', "'('"), "no regular expression"),
        ("= 3", "no TOML"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(WrongUse) as refused:
        parse(text)
    assert says in refused.value.what
    assert refused.value.hint


_KEYS = st.sampled_from(
    ["name", "server", "client", "start", "ready", "metric", "command", "connections", "rates", "x"]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from(["json:a", "(.)", "{rate}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def _escaped(text: str) -> str:
    """For between quotes: every character by its number."""
    return "".join(f"\\U{ord(c):08x}" for c in text)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return repr(value)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_toml_is_a_plan_or_an_error_of_ours(table: dict[str, Any]) -> None:
    _plan_or_error("\n".join(f"{key} = {_toml(value)}" for key, value in table.items()))


@given(st.text(max_size=200))
def test_any_text_is_a_plan_or_an_error_of_ours(text: str) -> None:
    _plan_or_error(text)


@given(st.data())
def test_a_damaged_file_is_a_plan_or_an_error_of_ours(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(_WHOLE)))
    end = data.draw(st.integers(at, len(_WHOLE)))
    _plan_or_error(_WHOLE[:at] + data.draw(st.text(max_size=20)) + _WHOLE[end:])


def _plan_or_error(text: str) -> None:
    with suppress(WrongUse):
        assert isinstance(parse(text), Plan)


# Each key of a whole file, with something else in it ---------------------------------------------------------------

_TREE: dict[str, Any] = {
    "name": "mine",
    "server": {"start": "x {here}", "stop": "INT", "user": "nobody", "ready": {"socket": "{folder}/s", "timeout": 5}},
    "client": {"command": "c {connections}", "metric": "(.)", "connections": [1, 50], "timeout": 30},
}


def _below(tree: Any, path: Sequence[str]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


_PATHS: list[tuple[str, ...]] = [(), ("server",), ("server", "ready"), ("client",)]
_LEAVES = [(*at, key) for at in _PATHS for key in _below(_TREE, at)] + [
    ("client", "rates"),
    ("server", "ready", "port"),
]
_STRANGE: st.SearchStrategy[Any] = st.one_of(
    _VALUES,
    st.integers(min_value=10**9) | st.integers(max_value=0) | st.just(10**400) | st.floats(),
    st.sampled_from(
        ["\x1b[2J", "\0", "\n", " ", "{rate}", "(", "json:", "x" * 5000, ["a"], [[1]], [1] * 9, {}, {"a": 1}]
    ),
)


def _with(path: tuple[str, ...], value: Any) -> str:
    tree = deepcopy(_TREE)
    _below(tree, path[:-1])[path[-1]] = value
    return "\n".join(f"{key} = {_toml(one)}" for key, one in tree.items())


def test_the_tree_is_right_as_it_stands() -> None:
    assert parse(_with(("name",), "mine")).ready_timeout == 5.0


@given(st.sampled_from(_LEAVES), _STRANGE)
@example(("client", "timeout"), 10**4000)
@example(("client", "timeout"), -0.0)
@example(("client", "connections"), [10**400])
@example(("server", "ready", "port"), 65536)
def test_whatever_a_key_says_it_is_taken_or_named(path: tuple[str, ...], value: Any) -> None:
    said = _refused(_with(path, value))
    assert not said or ".".join(path) in said or "server.ready should" in said
    assert said.isprintable()


def _refused(text: str) -> str:
    """Why, or nothing where it is a plan."""
    try:
        parse(text)
    except WrongUse as error:
        return error.what
    return ""


@given(st.sampled_from(_PATHS), st.text(min_size=1), _VALUES)
def test_a_key_that_is_not_known_is_named(at: tuple[str, ...], key: str, value: Any) -> None:
    if ".".join((*at, key)) in {".".join(one) for one in [*_LEAVES, *_PATHS]} | {"client.lower_is_better"}:
        return
    tree = {f'"{_escaped(key)}"': value}
    text = f"[{'.'.join(at)}]\n" if at else ""
    with pytest.raises(WrongUse, match="no key") as error:
        parse(text + "\n".join(f"{key} = {_toml(one)}" for key, one in tree.items()))
    assert repr(".".join((*at, key))[:60]) in error.value.what
    assert error.value.what.isprintable()


def test_a_dot_in_quotes_is_a_part_of_the_key() -> None:
    with pytest.raises(WrongUse, match=r"no key 'client\.timeout'"):
        parse('"client.timeout" = 5\n' + _LEAST)


def test_a_file_makes_a_workload(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(_WHOLE)
    made = make(str(file))
    assert made.name == "mine"
    assert [load.name for load in made.loads] == ["over one connection", "over 50 connections"]
    assert all(load.metric is not None and load.metric.higher_is_better for load in made.loads)


def test_a_rate_takes_the_place_of_the_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(_LEAST.replace('"c"', '"c --rate {rate}"') + "rates = [1000, 50]\n")
    assert [load.name for load in make(str(file)).loads] == ["at 50/s", "at 1,000/s"]
    assert [load.rate for load in make(str(file), 7.5).loads] == [7.5]
    file.write_text(_LEAST)
    with pytest.raises(WrongUse, match="takes no rate"):
        make(str(file), 7.5)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(_LEAST)
    assert make(str(file)).name == "m"
    file.chmod(0)
    uid = os.geteuid()
    if not uid:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(WrongUse, match=r"mine\.toml"):
            make(str(file))
    finally:
        os.seteuid(uid)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\x1b[2J", b"name = '\0'", b"#" * (1 << 20) + b"#"])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(text)
    with pytest.raises(WrongUse, match=r"mine\.toml") as refused:
        make(str(file))
    assert refused.value.what.isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "./absent.toml",
        "/",
        "/dev/zero",
        "rediss",
        "",
        "a\0.toml",
        "./\x1b[2J.toml",
        f"./{'x' * 300}.toml",
        "/etc/passwd/x.toml",
    ],
)
def test_what_is_no_workload_is_refused(name: str) -> None:
    with pytest.raises(WrongUse) as refused:
        make(name)
    assert refused.value.what.isprintable()


def test_every_name_makes_a_workload_whose_slowest_load_comes_first() -> None:
    for name in NAMES:
        made = make(name)
        assert made.name == name
        assert made.loads[-1].connections > 1
        assert [load.rate > 0 for load in made.loads] == sorted((load.rate > 0 for load in made.loads), reverse=True)


@pytest.mark.parametrize("name", ["perf-pipe", "hackbench"])
def test_a_rate_is_refused_where_there_is_no_open_loop(name: str) -> None:
    with pytest.raises(WrongUse, match="no open loop"):
        make(name, 100.0)
