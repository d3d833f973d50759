"""Whose names the page of a run leaves out."""

import pwd

import pytest

from ipctune.cli.page import users_here


def _account(name: str, uid: int, home: str) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", home, "/bin/sh"))


def test_people_are_users_and_programs_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = [
        _account("root", 0, "/root"),
        _account("redis", 104, "/var/lib/redis"),
        _account("alice", 1000, "/home/alice"),
        _account("al", 1001, "/home/al"),
        _account("nobody", 65534, "/nonexistent"),
    ]
    monkeypatch.setattr(pwd, "getpwall", lambda: accounts)
    for name, value in (("SUDO_USER", "bob"), ("LOGNAME", "root"), ("USER", "root"), ("HOME", "/root")):
        monkeypatch.setenv(name, value)
    assert users_here() == {"alice", "/home/alice", "/home/al", "bob"}
