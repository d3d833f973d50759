"""Whose calls are watched: by process, unit and group, on v1, v2 and both."""

from pathlib import Path

import pytest

from ipctune.errors import NotPossible, WrongUse
from ipctune.trace.whom import Whom

TREE = {
    10: "12:cpu:/system.slice/redis.service\n1:name=systemd:/system.slice/redis.service\n0::/\n",
    11: "0::/system.slice/redis.service\n",
    12: "0::/system.slice/redis.service/worker\n",
    13: "0::/user.slice/user-0.slice/session-1.scope\n",
    14: "0::/system.slice/redis-cache.service\n",
    15: "",
}


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, text in TREE.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text)
    (tmp_path / "16").mkdir()  # it ended meanwhile: there is no file
    (tmp_path / "self").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("whom", "pids"),
    [
        (Whom(unit="redis"), {10, 11, 12}),
        (Whom(unit="redis.service"), {10, 11, 12}),
        (Whom(unit="session-1.scope"), {13}),
        (Whom(unit="system.slice"), {10, 11, 12, 14}),
        (Whom(cgroup="/system.slice/redis.service"), {10, 11, 12}),
        (Whom(cgroup="system.slice/redis.service/"), {10, 11, 12}),
        (Whom(cgroup="/sys/fs/cgroup/user.slice"), {13}),
        (Whom(cgroup="/"), {10, 11, 12, 13, 14}),
        (Whom(pids=(10, 13)), {10, 13}),
    ],
)
def test_who_is_meant(proc: Path, whom: Whom, pids: set[int]) -> None:
    assert whom.processes(proc) == pids


@pytest.mark.parametrize("whom", [Whom(unit="mysql"), Whom(cgroup="/nothing"), Whom(pids=(10, 99))])
def test_nobody_is_an_error_with_the_name(proc: Path, whom: Whom) -> None:
    with pytest.raises(NotPossible, match=r"mysql|/nothing|99"):
        whom.processes(proc, all_of_them=True)


def test_one_of_two_that_ended_leaves_the_other(proc: Path) -> None:
    assert Whom(pids=(10, 99)).processes(proc) == {10}


def test_choices_exclude_each_other() -> None:
    with pytest.raises(WrongUse):
        Whom(pids=(1,), unit="redis")
    with pytest.raises(WrongUse):
        Whom(comm="sixteen-bytes-xx")


def test_everybody() -> None:
    assert Whom().everybody
    assert Whom(comm="redis-server").everybody
    assert not Whom(unit="redis").everybody
